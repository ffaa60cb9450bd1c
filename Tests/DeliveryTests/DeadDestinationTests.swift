import DeliveryQueue
import LabPeers
import LabSupport
import MailModel
import PostgresDriver
import QueueStore
import ServiceSupport
import TestLiterals
import Testing

@testable import Delivery

/// A destination that takes no mail, with a queue that is real: one row and one test delivery at each step.
@Suite("Dead destination", .timeLimit(.minutes(4)))
struct DeadDestinationTests {
    private static let closed = ScriptedRule.on(.greeting, .reply("421 4.3.2 closed"), .close)

    private static func retry(every wait: Duration, for domain: DomainName = "bravo.test") -> RetryPolicy {
        let schedule = RetrySchedule(delays: [wait]) ?? .standard
        return RetryPolicy(rules: [RetryPolicy.Rule(DomainPattern(domain), schedule)])
    }

    /// What became of each message, by what was put on record of it.
    private func kinds(_ ids: [MessageID], in queue: DeliveryFixture) async throws -> [[TraceEvent.Kind]] {
        var all: [[TraceEvent.Kind]] = []
        for id in ids {
            all.append(try await queue.store.trace(of: id).map(\.kind).filter { $0 != .receive })
        }
        return all
    }

    @Test("New mail is the test delivery for a host that is back before its time; what waited follows (field B3)")
    func earlyTest() async throws {
        try await ScriptedPeer.with([Self.closed]) { peer in
            try await DeliveryFixture.run(
                [("bravo.test", peer)], { $0.connectionsPerDestination = 1 },
                retry: Self.retry(every: .seconds(3600))
            ) { queue in
                let supervisor = TaskSupervisor(backlog: 10)
                async let running: Void = supervisor.run()
                let interval = Duration.seconds(10)
                let shard = try queue.shard(
                    of: "bravo.test", supervisor, blocked: BlockedDomains(testInterval: interval))
                for _ in 0..<3 { try await queue.enqueue(to: "bravo.test") }
                await shard.arrived("bravo.test")
                let row = try #require(try await Self.row(of: queue))
                peer.follow([])
                // Right after the last attempt new mail waits with the rest.
                try await queue.enqueue(to: "bravo.test")
                await shard.arrived("bravo.test")
                #expect(peer.messageCount == 0 && row.failures == 1)
                // It counts from the end of the last attempt, which may be later than its row.
                try await Task.sleep(for: interval + .seconds(2))
                try await queue.enqueue(to: "bravo.test")
                await shard.arrived("bravo.test")
                // But for the one that had an attempt, which has its own time.
                #expect(await eventually { peer.messageCount == 4 })
                supervisor.close()
                await running
                #expect(try await queue.backoff(of: "bravo.test") == nil)
            }
        }
    }

    /// The domain's row, once it is there.
    private static func row(of queue: DeliveryFixture) async throws -> DestinationBackoff? {
        try await eventualValue { try await queue.backoff(of: "bravo.test") }
    }

    @Test(
        "It gets one test delivery at each step while other mail flows; when it is back all is delivered, and its row is gone"
    )
    func testDeliveries() async throws {
        try await ScriptedPeer.with([Self.closed]) { dead in
            try await ScriptedPeer.with { alive in
                try await DeliveryFixture.run(
                    [("bravo.test", dead), ("charlie.test", alive)], { $0.connectionsPerDestination = 1 },
                    retry: Self.retry(every: .milliseconds(400))
                ) { queue in
                    var ids: [MessageID] = []
                    for _ in 0..<20 { ids.append(try await queue.enqueue(to: "bravo.test")) }
                    let domains: Set<DomainName> = ["bravo.test", "charlie.test"]
                    #expect(
                        try await queue.poll(domains) {
                            try await queue.enqueue(to: "charlie.test")
                            return try await queue.backoff(of: "bravo.test")?.failures ?? 0 >= 4
                        })
                    let backoff = try #require(try await queue.backoff(of: "bravo.test"))
                    #expect(dead.connectionCount == backoff.failures, "one connection at each step")
                    #expect(backoff.failure.reason == .remoteReply && backoff.failure.text.contains("closed"))
                    let before = try await self.kinds(ids, in: queue)
                    #expect(before.flatMap(\.self).count == backoff.failures, "nobody else's entry was touched")
                    #expect(alive.messageCount > 3)

                    dead.follow([])
                    #expect(try await queue.poll(domains) { try await queue.waiting() == 0 })
                    #expect(dead.messageIDs.count == 20 && dead.messageIDs.values.allSatisfy { $0 == 1 })
                    #expect(try await queue.backoff(of: "bravo.test") == nil)
                }
            }
        }
    }

    @Test("What an operator gives up bounces although its destination is dead; what waits beside it waits on")
    func givenUp() async throws {
        try await ScriptedPeer.with([Self.closed]) { dead in
            try await DeliveryFixture.run([("bravo.test", dead)], { $0.connectionsPerDestination = 1 }) { queue in
                var ids: [MessageID] = []
                for _ in 0..<3 { ids.append(try await queue.enqueue(to: "bravo.test")) }
                await (try queue.destination("bravo.test")).run()
                var selection = QueueSelection()
                // The last is due, and was not tried: the next test delivery is another's.
                selection.messages = [ids[2]]
                let count = try await queue.operators().perform(
                    .fail, on: selection, by: "olga@ops", because: "account closed")
                #expect(count.affected == 1)
                await (try queue.destination("bravo.test")).run()
                #expect(try await self.kinds(ids, in: queue) == [[.defer], [.defer], [.fail]])
                #expect(try await queue.waiting(for: "bravo.test") == 2)
                #expect(try await queue.waiting(for: "alpha.test") == 1, "the sender is told")
                #expect(try await queue.backoff(of: "bravo.test")?.failures == 2)
            }
        }
    }

    @Test("Several deliveries that fail together are one failure")
    func together() async throws {
        try await ScriptedPeer.with([.on(.greeting, .wait(.milliseconds(300)), .reply("554 no"), .close)]) { dead in
            try await DeliveryFixture.run([("bravo.test", dead)], { $0.connectionsPerDestination = 5 }) { queue in
                for _ in 0..<20 { try await queue.enqueue(to: "bravo.test") }
                await (try queue.destination("bravo.test")).run()
                #expect(try await queue.backoff(of: "bravo.test")?.failures == 1)
                #expect(dead.connectionCount <= 5)
                #expect(try await queue.waiting() == 20)
                // Who looks again finds it blocked, as a new owner does, and asks nobody.
                let count = dead.connectionCount
                await (try queue.destination("bravo.test")).run()
                #expect(dead.connectionCount == count)
            }
        }
    }

    @Test("New mail for a domain that is known to be in backoff starts nothing; the poll does")
    func hints() async throws {
        try await ScriptedPeer.with([Self.closed]) { dead in
            try await DeliveryFixture.run([("bravo.test", dead)], { $0.connectionsPerDestination = 1 }) { queue in
                let supervisor = TaskSupervisor(backlog: 10, atOnce: 1)
                let shard = try queue.shard(of: "bravo.test", supervisor)
                try await withThrowingTaskGroup { group in
                    group.addTask { await supervisor.run() }
                    defer { supervisor.close() }
                    for _ in 0..<2 { try await queue.enqueue(to: "bravo.test") }
                    await shard.arrived("bravo.test")
                    #expect(await dead.wait { $0.connectionCount == 1 })
                    #expect(try await Self.row(of: queue) != nil)
                    // The shard knows when its destination has ended, which lets another begin.
                    #expect(await eventually { supervisor.submit {} })
                    // The row is gone, but the shard does not know: were it to look, it would attempt the other message.
                    try await queue.store.pool.query(Statement("DELETE FROM relay.destination"))
                    await shard.arrived("bravo.test")
                    try await Task.sleep(for: .milliseconds(300))
                    #expect(dead.connectionCount == 1)
                    #expect(await shard.due("bravo.test"))
                    #expect(await dead.wait { $0.connectionCount == 2 })
                }
            }
        }
    }

    @Test("A host that refuses recipients works: nobody else waits for that")
    func greylisting() async throws {
        try await ScriptedPeer.with([.on(.everyRecipient, .reply("450 4.7.1 later"))]) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.connectionsPerDestination = 1 }) { queue in
                var ids: [MessageID] = []
                for _ in 0..<5 { ids.append(try await queue.enqueue(to: "bravo.test")) }
                await (try queue.destination("bravo.test")).run()
                #expect(try await queue.backoff(of: "bravo.test") == nil)
                #expect(try await self.kinds(ids, in: queue) == Array(repeating: [.defer], count: 5))
            }
        }
    }

    @Test("A message on which the connection breaks holds nobody else up")
    func poison() async throws {
        try await ScriptedPeer.with([.on(.data, connection: 1, .close)]) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.connectionsPerDestination = 1 }) { queue in
                for _ in 0..<3 { try await queue.enqueue(to: "bravo.test") }
                await (try queue.destination("bravo.test")).run()
                #expect(peer.messageCount == 2)
                #expect(try await queue.backoff(of: "bravo.test") == nil)
            }
        }
    }

    @Test("What was interrupted and is overdue behind a dead destination is told as perhaps delivered, before all else")
    func interrupted() async throws {
        try await ScriptedPeer.with([Self.closed]) { dead in
            try await DeliveryFixture.run(
                [("bravo.test", dead)], { $0.connectionsPerDestination = 1 },
                retry: Self.retry(every: .seconds(1))
            ) { queue in
                let first = try await queue.enqueue(to: "bravo.test")
                try await queue.poll(["bravo.test"])
                #expect(try await queue.backoff(of: "bravo.test") != nil)
                let id = try await queue.enqueue(to: "bravo.test")
                try await queue.interruptAttempts(for: "bravo.test")
                try await queue.age("bravo.test", by: .seconds(5 * 3600))
                #expect(
                    try await queue.poll(["bravo.test"]) {
                        try await queue.store.trace(of: id).contains { $0.kind == .defer }
                    })
                let told = try #require(try await queue.store.trace(of: id).first { $0.kind == .defer })
                #expect(told.reply?.contains("other.test was interrupted") == true, "\(told)")
                #expect(try await queue.store.trace(of: first).count > 1)
            }
        }
    }

    @Test("Who waits behind a test delivery is told of the delay and given up in time, without an attempt of its own")
    func overdue() async throws {
        try await ScriptedPeer.with([Self.closed]) { dead in
            try await DeliveryFixture.run(
                [("bravo.test", dead)], { $0.connectionsPerDestination = 1 },
                retry: Self.retry(every: .milliseconds(300))
            ) { queue in
                var ids: [MessageID] = []
                for _ in 0..<80 { ids.append(try await queue.enqueue(to: "bravo.test")) }
                try await queue.poll(["bravo.test"])
                try await queue.age("bravo.test", by: .seconds(5 * 3600))
                #expect(
                    try await queue.poll(["bravo.test"]) {
                        try await queue.waiting(for: "alpha.test") == ids.count
                    })
                try await queue.age("bravo.test", by: .seconds(5 * 86_400))
                #expect(
                    try await queue.poll(["bravo.test"]) { try await queue.waiting(for: "bravo.test") == 0 })
                // Of the delay and of the failure each sender has heard once, whichever message was a test delivery.
                #expect(try await queue.waiting(for: "alpha.test") == 2 * ids.count)
                let kinds = try await self.kinds(ids, in: queue)
                #expect(kinds.allSatisfy { $0.last == .fail })
                #expect(kinds.filter { $0 == [.defer, .fail] }.count >= 60, "told once, and then given up")
                #expect(dead.connectionCount < 20, "all are told at one step, and given up at another")
                let untouched = try #require(kinds.firstIndex(of: [.defer, .fail]))
                let trace = try await queue.store.trace(of: ids[untouched])
                #expect(trace.last?.status?.description == "5.3.2" && trace.last?.reason == "remote-reply")
                #expect(trace.last?.reply?.hasPrefix("not tried: ") == true)
                #expect(trace.last?.mxHost == "[127.0.0.1]")
            }
        }
    }
}
