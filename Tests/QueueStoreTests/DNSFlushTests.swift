import LabDatabase
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

/// What operators want looked up anew, from the command to the nodes.
@Suite("Look-ups that operators want made anew", .timeLimit(.minutes(2)))
struct DNSFlushTests {
    @Test("Each is read once by a node, in its order, and by a node that starts a moment later (field D6)")
    func read() async throws {
        try await QueueFixture.run { queue in
            let start = try await queue.store.dnsFlushes(since: nil)
            #expect(start.flushes.isEmpty && start.serial == 0)
            try await queue.withOperator { admin in
                try await admin.flush(.name(bravo), by: "olga@ops", because: "key changed")
                try await admin.flush(.zone(bravo), by: "olga@ops", because: nil)
            }
            let first = try await queue.store.dnsFlushes(since: start.serial)
            #expect(first.flushes == [.name(bravo), .zone(bravo)])
            let second = try await queue.store.dnsFlushes(since: first.serial)
            #expect(second.flushes.isEmpty && second.serial == first.serial)
            let latest = try await queue.store.dnsFlushes(since: nil)
            #expect(latest.flushes == first.flushes)
            let row = try await queue.admin.query(
                Statement("SELECT role, actor, reason FROM relay.dns_flush WHERE reason IS NOT NULL")
            ).single()
            let (role, reason) = (try row.get(0, as: String.self), try row.get(2, as: String.self))
            #expect(role == QueueLogin.person && reason == "key changed")
        }
    }

    @Test("Who claims an entry that a retry made due knows that its route is to be looked up anew (field D6)")
    func retry() async throws {
        try await QueueFixture.run { queue in
            try await queue.enqueueFailed(wait: .seconds(900))
            let before = try await queue.store.claim(try queue.term(bravo), destination: bravo)
            #expect(before.entries.isEmpty)
            try await queue.withOperator { admin in
                let done = try await admin.perform(.retry)
                #expect(done == [1, 0])
            }
            let after = try await queue.store.claim(try queue.term(bravo), destination: bravo)
            #expect(after.entries.count == 1)
            #expect(after.flushSerial > before.flushSerial)
            let flushes = try await queue.store.dnsFlushes(since: before.flushSerial)
            #expect(flushes.flushes == [.route(bravo)] && flushes.serial == after.flushSerial)
        }
    }

    @Test("Other actions look nothing up anew (field D6)")
    func others() async throws {
        try await QueueFixture.run { queue in
            try await queue.enqueueFailed(wait: .seconds(900))
            try await queue.withOperator { admin in
                for action in [QueueAction.hold, .release, .drop] { _ = try await admin.perform(action) }
            }
            let rows = try await queue.count("dns_flush")
            #expect(rows == 0)
        }
    }

    @Test("Of too many names everything is meant, and rows go after an hour (field D6)")
    func bounds() async throws {
        try await QueueFixture.run { queue in
            try await queue.fill((0..<1200).map { "d\($0).test" as DomainName }, each: 1)
            try await queue.withOperator { admin in
                _ = try await admin.perform(.retry, on: QueueSelection(), by: "olga@ops", because: nil)
            }
            let many = try await queue.count("dns_flush")
            #expect(many <= 1001)
            let flushes = try await queue.store.dnsFlushes(since: 0).flushes
            #expect(flushes.contains(.everything))
            try await queue.admin.script("UPDATE relay.dns_flush SET at = at - interval '61 minutes'")
            try await queue.withOperator { try await $0.flush(.everything, by: "olga@ops", because: nil) }
            let left = try await queue.count("dns_flush")
            #expect(left == 1)
        }
    }

    @Test("A node's login may not have others look anything up (field D6)")
    func privileges() async throws {
        try await QueueFixture.run { queue in
            await #expect(throws: PostgresError.self) {
                try await queue.pool.query(
                    Statement(
                        "SELECT relay.flush_dns($1, 'all', '{\"\"}', 'x', NULL)", PostgresUUID(high: 1, low: 1)))
            }
            let rows = try await queue.count("dns_flush")
            #expect(rows == 0)
        }
    }
}
