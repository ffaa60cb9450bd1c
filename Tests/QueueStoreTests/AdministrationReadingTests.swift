import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

@Suite("What operators see of the queue", .timeLimit(.minutes(3)))
struct AdministrationReadingTests {
    @Test("Pages follow each other by key over all tables, and end")
    func pages() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let names = (0..<10).map { "d\($0).test" as DomainName }
                for _ in 0..<5 { try await queue.writer.enqueue(queue.message(to: names)) }
                _ = try await operators.perform(.hold, .domain(names[3]))
                try await queue.enqueueFailed(wait: .seconds(7200))
                var seen: [QueueListing] = []
                var cursor: QueueCursor?
                repeat {
                    let page = try await operators.page(of: QueueSelection(), after: cursor, span: 7)
                    #expect(page.entries.count <= 7)
                    seen += page.entries
                    // As a program keeps it between two calls.
                    cursor = page.next.flatMap { QueueCursor($0.text) }
                } while cursor != nil
                #expect(seen.count == 51)
                #expect(Set(seen.map(\.key)).count == 51)
                #expect(seen.count { $0.state == .held } == 5)
                #expect(seen.count { $0.state == .deferred } == 1)
                #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.key.shard <= $1.key.shard })
            }
        }
    }

    @Test("A page looks at no more entries than it was told to, even if it selects none")
    func boundedSpan() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                for _ in 0..<5 { try await queue.writer.enqueue(queue.message()) }
                let page = try await operators.page(of: .domain("nobody.test"), span: 3)
                #expect(page.entries.isEmpty && page.next != nil)
            }
        }
    }

    @Test("Conditions of one kind are alternatives, of different kinds must all hold")
    func selections() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let charlie: DomainName = "charlie.test"
                let first = queue.message(to: [bravo, charlie])
                var second = queue.message()
                second.sender = ""
                try await queue.writer.enqueue(first)
                try await queue.writer.enqueue(second)
                let failed = try await queue.enqueueFailed("delta.test", wait: .seconds(7200))
                func ids(_ change: (inout QueueSelection) -> Void) async throws -> Set<MessageID> {
                    var selection = QueueSelection()
                    change(&selection)
                    return Set(try await operators.page(of: selection).entries.map(\.key.message))
                }
                #expect(
                    try await ids { $0.messages = [first.id, failed.key.message] } == [first.id, failed.key.message])
                #expect(try await ids { $0.domains = [charlie] } == [first.id])
                #expect(try await ids { $0.senders = [""] } == [second.id])
                #expect(try await ids { $0.states = [.deferred] } == [failed.key.message])
                #expect(try await ids { $0.states = [.held] }.isEmpty)
                #expect(try await ids { $0.states = [.active] }.isEmpty)
                let now = try await queue.store.databaseTime()
                #expect(try await ids { $0.arrivedBefore = now }.count == 3)
                #expect(try await ids { $0.arrivedBefore = now + .seconds(-3600) }.isEmpty)
                #expect(
                    try await ids {
                        $0.domains = [bravo, charlie]
                        $0.senders = ["alice@alpha.test"]
                    } == [first.id])
            }
        }
    }

    @Test("An entry tells what failed last, who owns it, and when it is tried again")
    func details() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let failed = try await queue.enqueueFailed(wait: .seconds(600))
                let page = try await operators.page(of: QueueSelection(), isDetailed: true)
                let entry = try #require(page.entries.first)
                #expect(entry.state == .deferred && entry.attempts == 1 && entry.node == "node-a")
                #expect(entry.lastStatus == "4.7.323" && entry.lastReason == "tlsa-invalid")
                #expect(entry.lastAttempt?.reply == "no match\u{FFFD}")
                #expect(entry.recipients.map(\.address) == ["bob@bravo.test"])
                let next = try #require(entry.nextAttempt)
                #expect(next > failed.arrival + .seconds(500))
            }
        }
    }

    @Test("An entry that waits untried for a destination in backoff tells until when, and why")
    func leftAlone() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.writer.enqueue(queue.message())
                try await queue.leaveAlone(bravo)
                let now = try await queue.store.databaseTime()
                func entry() async throws -> QueueListing {
                    try #require(try await operators.page(of: QueueSelection(), isDetailed: true).entries.first)
                }
                let waiting = try await entry()
                #expect(waiting.state == .deferred && waiting.attempts == 0)
                #expect(waiting.nextAttempt.map { $0 > now + .seconds(1800) } == true)
                #expect(waiting.lastStatus == "4.0.0" && waiting.lastReason == "connection-timeout")
                _ = try await operators.perform(.retry)
                let free = try await entry()
                #expect(free.state == .ready)
                #expect(free.nextAttempt.map { $0 <= now + .seconds(60) } == true && free.lastReason == nil)
            }
        }
    }

    @Test("An entry that nobody can read is seen, and can be dropped")
    func unreadable() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.writer.enqueue(queue.message())
                try await queue.admin.query(Statement("UPDATE relay.ready SET recipients = '{}'"))
                #expect(try await operators.page(of: QueueSelection()).entries.map(\.recipients) == [[]])
                #expect(try await operators.perform(.hold) == [1, 0])
                #expect(try await operators.perform(.drop) == [1, 0])
            }
        }
    }

    @Test("A message is found by its id, with its content piece by piece, until it is finished")
    func message() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                var message = queue.message()
                var writer = queue.writer.bodyWriter(for: message)
                let content = (0..<150_000).map { UInt8(truncatingIfNeeded: $0) }
                try await writer.write(content)
                message.body = .staged(try await writer.finish())
                try await queue.writer.enqueue(message)
                let found = try #require(try await operators.message(message.id))
                #expect(found.sender == "alice@alpha.test" && found.size == 150_000 && found.finishedAt == nil)
                var reader = operators.content(of: found)
                var read: [UInt8] = []
                while let piece = try await reader.next() { read += piece }
                #expect(read == content)
                _ = try await operators.perform(.drop)
                #expect(try await operators.message(message.id)?.finishedAt != nil)
                var late = operators.content(of: found)
                #expect(await code { _ = try await late.next() } == .entryChanged)
                #expect(try await operators.message(newID()) == nil)
            }
        }
    }

    @Test("The running sums and a count of every entry agree; the oldest is known by index")
    func summaries() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                for second in 0..<3 {
                    let id = newID(at: Timestamp(seconds: 1_700_000_000 + Int64(second)))
                    try await queue.writer.enqueue(queue.message(id, to: [bravo, "charlie.test"]))
                }
                let failed = try await queue.enqueueFailed("delta.test", wait: .seconds(7200))
                _ = try await operators.perform(.hold, .domain("charlie.test"))
                let census = try await operators.census(domains: 2)
                let overview = try await operators.overview()
                #expect(census.summary == overview.summary)
                #expect(census.domains.map(\.name) == [bravo, "charlie.test"])
                #expect(census.domains.map(\.total.entries) == [3, 3])
                #expect(overview.oldest[.deferred] == failed.arrival)
                #expect(overview.oldest[.held] != nil && overview.oldest[.held] == census.domains[1].oldest)
                #expect(overview.oldest[.ready] == census.domains[0].oldest)
            }
        }
    }
}
