import ClusterModel
import DeliveryQueue
import MailModel
import PostgresDriver
import TestLiterals
import Testing

@testable import QueueStore

/// The state of an entry is what is true of it, in whatever table it is.
@Suite("States of the queue: ready, active, deferred, held", .timeLimit(.minutes(3)))
struct QueueStateTests {
    /// The states by the list, by the summary, and by a count of every entry, which must agree.
    private func states(
        _ queue: QueueFixture, _ operators: QueueAdministration, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [QueueListing.State: Int] {
        try await queue.store.countThrottled(queue.leases.map(\.term))
        let listed = try await operators.page(of: QueueSelection()).entries
        let byList = Dictionary(grouping: listed, by: \.state).mapValues(\.count)
        let overview = try await operators.overview()
        let census = try await operators.census(domains: 1).summary
        for state in QueueListing.State.allCases {
            #expect(overview.summary[state].entries == byList[state] ?? 0, "\(state)", sourceLocation: sourceLocation)
            #expect(census[state].entries == byList[state] ?? 0, "\(state)", sourceLocation: sourceLocation)
            var selection = QueueSelection()
            selection.states = [state]
            let selected = try await operators.page(of: selection).entries
            #expect(
                selected.map(\.key) == listed.filter { $0.state == state }.map(\.key), sourceLocation: sourceLocation)
            #expect(
                (overview.oldest[state] != nil) == (byList[state] != nil), "\(state)", sourceLocation: sourceLocation)
        }
        let bytes = QueueListing.State.allCases.map { overview.summary[$0].bytes }.reduce(0, +)
        #expect(bytes == listed.map(\.size).reduce(0, +), sourceLocation: sourceLocation)
        return byList
    }

    private func run(_ body: (QueueFixture, QueueAdministration) async throws -> Void) async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in try await body(queue, operators) }
        }
    }

    @Test("What was refused and waits a quarter of an hour is deferred, and so is what waits for hours")
    func waiting() async throws {
        try await self.run { queue, operators in
            try await queue.enqueueFailed(wait: .seconds(900))
            try await queue.enqueueFailed("charlie.test", wait: .seconds(7200))
            try await queue.writer.enqueue(queue.message(to: ["delta.test"]))
            #expect(try await self.states(queue, operators) == [.deferred: 2, .ready: 1])
        }
    }

    @Test(
        "What is due and suspended by an operator is deferred, in the view too; where a bounce comes first, it is ready"
    )
    func suspended() async throws {
        try await self.run { queue, operators in
            try await queue.writer.enqueue(queue.message(to: [bravo, "mx.charlie.test", "delta.test"]))
            try await queue.enqueueFailed("echo.test", wait: .seconds(900))
            #expect(try await self.states(queue, operators) == [.ready: 3, .deferred: 1])
            let rule = try await operators.make(.suspend, bravo.text)
            _ = try await operators.make(.suspend, "*.charlie.test", until: .lifted)
            #expect(try await self.states(queue, operators) == [.ready: 1, .deferred: 3])
            let listed = try await operators.page(of: QueueSelection()).entries
            let suspended = listed.filter { $0.suspendedBecause == "a test" && $0.waitsFor == "suspended" }
            #expect(Set(suspended.map(\.key.domain.text)) == ["bravo.test", "mx.charlie.test"])
            #expect(Set(suspended.map(\.nextAttempt)) == [rule.until, nil])
            #expect(try await operators.overview().resting == ["suspended": 2], "by the rules, whatever nodes say")
            let view = try await queue.admin.query(
                Statement(
                    "SELECT domain FROM relay.queue_overview WHERE state = 'deferred' AND suspended_because IS NOT NULL"
                )
            ).rows
            #expect(view.count == 2)
            _ = try await operators.make(.suspend, "*")
            #expect(try await self.states(queue, operators) == [.deferred: 4])
            _ = try await operators.make(.bounce, bravo.text)
            #expect(try await self.states(queue, operators) == [.ready: 1, .deferred: 3])
            _ = try await operators.lift(try await operators.rules().map(\.id), by: "olga@ops", because: nil)
            #expect(try await self.states(queue, operators) == [.ready: 3, .deferred: 1])
        }
    }

    @Test("What comes back to the table of ready entries waits on until its time")
    func promoted() async throws {
        try await self.run { queue, operators in
            try await queue.enqueueFailed(wait: .seconds(3600))
            #expect(try await queue.store.promoteDeferred(try queue.term(), within: .seconds(3700)) == 1)
            #expect(try await self.states(queue, operators) == [.deferred: 1])
        }
    }

    @Test("What was put off is due once its time has come, though nothing has changed its row")
    func due() async throws {
        try await self.run { queue, operators in
            try await queue.enqueueFailed(wait: .seconds(600))
            #expect(try await self.states(queue, operators) == [.deferred: 1])
            // As if ten minutes and a half had gone by.
            try await queue.admin.script(
                """
                UPDATE relay.ready SET next_attempt_at = next_attempt_at - interval '630 seconds';
                UPDATE relay.queue_waiting SET due = due - interval '630 seconds'
                """)
            #expect(try await self.states(queue, operators) == [.ready: 1])
            try await queue.store.sweepWaitingSums()
            #expect(try await queue.count("queue_waiting") == 1, "a transaction may have its time still")
            try await queue.admin.script("UPDATE relay.queue_waiting SET due = due - interval '11 minutes'")
            try await queue.store.sweepWaitingSums()
            #expect(try await queue.count("queue_waiting") == 0)
        }
    }

    @Test(
        "What waits for a throttled destination is deferred, due or not, and counts once; let go, it is ready at once")
    func throttled() async throws {
        try await self.run { queue, operators in
            try await queue.enqueueFailed(wait: .seconds(900))
            for _ in 0..<3 { try await queue.writer.enqueue(queue.message()) }
            try await queue.leaveAlone(bravo)
            #expect(try await self.states(queue, operators) == [.deferred: 4])
            try await queue.block(bravo, for: 0)
            #expect(try await self.states(queue, operators) == [.deferred: 1, .ready: 3])
        }
    }

    @Test("An attempt on record, or one of which its node says that it is under way, makes an entry active")
    func active() async throws {
        try await self.run { queue, operators in
            for name in ["bravo.test", "charlie.test", "delta.test", "echo.test"] {
                try await queue.writer.enqueue(queue.message(to: [DomainName(stringLiteral: name)]))
            }
            let recorded = try await queue.claimOne()
            #expect(try await queue.store.openAttempts([(recorded, try queue.term().epoch)]).count == 1)
            func attempt(_ name: String, _ stage: AttemptUnderWay.Stage) async throws -> AttemptUnderWay {
                let entry = try await queue.claimOne(DomainName(stringLiteral: name))
                return AttemptUnderWay(
                    key: entry.key, epoch: try queue.term(DomainName(stringLiteral: name)).epoch,
                    attempt: entry.attempts + 1,
                    stage: stage, host: "mx.\(name)[192.0.2.1]", began: entry.arrival)
            }
            let hanging = try await attempt("charlie.test", .host)
            // One that waits for a connection is at no host.
            let queueing = try await attempt("delta.test", .connection)
            try await queue.store.publish(underWay: [hanging, queueing], resting: [])
            #expect(try await self.states(queue, operators) == [.active: 2, .ready: 2])
            var selection = QueueSelection()
            selection.hosts = ["MX.charlie.test"]
            let entry = try #require(try await operators.page(of: selection).entries.first)
            #expect(entry.activity?.stage == "host" && entry.activity?.host == "mx.charlie.test[192.0.2.1]")
            #expect(entry.key == hanging.key && !entry.isOnRecord)
            // It ends: its node says so; or its node is gone, and the shard with it.
            try await queue.store.publish(underWay: [hanging], resting: [])
            #expect(try await queue.count("under_way") == 1)
            let lease = try #require(queue.leases.first { $0.shard == hanging.key.shard })
            try await queue.store.release([lease])
            #expect(try await operators.page(of: selection).entries.isEmpty)
            #expect(try await operators.overview().summary.active.entries == 1)
        }
    }

    @Test("What deliveries wait for is told: which domains, and why")
    func resting() async throws {
        try await self.run { queue, operators in
            try await queue.writer.enqueue(queue.message())
            let term = try queue.term()
            let now = try await queue.store.databaseTime()
            let resting = RestingDestination(term: term, domain: bravo, reason: "resolver", began: now)
            try await queue.store.publish(underWay: [], resting: [resting])
            let entry = try #require(try await operators.page(of: QueueSelection()).entries.first)
            #expect(entry.state == .ready && entry.waitsFor == "resolver")
            #expect(try await operators.overview().resting == ["resolver": 1])
            try await queue.store.publish(underWay: [], resting: [])
            #expect(try await operators.overview().resting.isEmpty)
        }
    }

    @Test("What an operator does to entries that wait is in the sums at once", arguments: QueueAction.allCases)
    func administered(_ action: QueueAction) async throws {
        try await self.run { queue, operators in
            for _ in 0..<2 { try await queue.enqueueFailed(wait: .seconds(900)) }
            try await queue.enqueueFailed("charlie.test", wait: .seconds(900))
            let done = try await operators.perform(action)
            #expect(done == (action == .release ? [0, 0] : [2, 0]))
            let expected: [QueueListing.State: Int] =
                switch action {
                case .hold: [.held: 2, .deferred: 1]
                case .release: [.deferred: 3]
                case .retry, .fail: [.ready: 2, .deferred: 1]
                case .drop: [.deferred: 1]
                }
            #expect(try await self.states(queue, operators) == expected)
        }
    }

    @Test("What is done to deferred entries is done to all of them, though the first batch lets their destination go")
    func throttledFailed() async throws {
        try await self.run { queue, operators in
            try await queue.fill([bravo], each: 700)
            try await queue.leaveAlone(bravo)
            var selection = QueueSelection()
            selection.states = [.deferred]
            #expect(try await operators.count(.fail, selection).affected == 700)
            #expect(try await operators.perform(.fail, selection) == [700, 0])
        }
    }
}
