import ClusterModel
import DeliveryQueue
import MailModel
import PostgresDriver
import QueueStore
import Testing

@Suite("Destinations in backoff (DESIGN §4)", .timeLimit(.minutes(3)))
struct DestinationRowTests {
    private func record(
        _ queue: QueueFixture, _ changes: DestinationChange..., wait: Duration = .zero
    ) async throws {
        var outcomes: [RecordedOutcome] = []
        for (entry, change) in zip(try await queue.claim().entries, changes) {
            var outcome = try await queue.retry(entry, in: wait)
            outcome.destinationChange = change
            outcomes.append(outcome)
        }
        try #require(outcomes.count == changes.count)
        try await queue.store.recordOutcomes(outcomes).forEach { try $0.get() }
    }

    @Test("The row is written with an outcome, read with the next claim, and gone when the destination works again")
    func writtenAndRead() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            #expect(try await queue.claim().backoff == nil)
            let backoff = try await queue.backoff(for: .seconds(60), failures: 7)
            try await self.record(queue, .blocked(backoff))
            let claim = try await queue.claim()
            #expect(claim.isBackoffInForce && claim.backoff?.failures == 7)
            #expect(claim.backoff?.until == backoff.until && claim.backoff?.since == backoff.since)
            #expect(claim.backoff?.failure.text == "bogus\u{FFFD}", "as much as the database can store")
            #expect(claim.backoff?.failure.madePermanent.status.description == "5.7.324")
            #expect(claim.backoff?.failure.failureClass == .security && claim.backoff?.failure.host == "mx.bravo.test")
            try await self.record(queue, .opened)
            #expect(try await queue.claim().backoff == nil)
            #expect(try await queue.count("destination") == 0)
        }
    }

    @Test("Of several changes in one transaction the last counts; one that is over is read, and not in force")
    func lastCounts() async throws {
        try await QueueFixture.run { queue in
            for _ in 0..<3 { try await queue.writer.enqueue(queue.message()) }
            let first = try await queue.backoff(for: .seconds(60))
            let over = try await queue.backoff(for: .zero, failures: 2)
            try await self.record(queue, .blocked(first), .opened, .blocked(over))
            let claim = try await queue.claim()
            #expect(claim.backoff?.failures == 2 && !claim.isBackoffInForce)
            #expect(try await queue.store.dueDestinations([try queue.term()]).due.map(\.destination) == [bravo])
        }
    }

    @Test("A former owner writes no row")
    func fenced() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            var outcome = try await queue.retry(try await queue.claimOne(), in: .zero)
            outcome.destinationChange = .blocked(try await queue.backoff(for: .seconds(60)))
            try await queue.takeOver(try queue.term().shard)
            let results = await queue.store.recordOutcomes([outcome])
            #expect(throws: QueueStoreError.self) { try results[0].get() }
            #expect(try await queue.count("destination") == 0)
        }
    }

    // MARK: - Overdue entries

    /// Makes entries older: as many as there are ages, in hours.
    private func fill(_ queue: QueueFixture, ages: [Int], notified: Bool = false) async throws {
        for age in ages {
            let message = queue.message()
            try await queue.writer.enqueue(message)
            try await queue.admin.query(
                Statement(
                    """
                    UPDATE relay.ready SET arrived_at = arrived_at - $2 * interval '1 hour',
                        next_attempt_at = next_attempt_at - $2 * interval '1 hour', delay_notified = $3
                    WHERE message_id = $1
                    """, PostgresUUID(high: message.id.high, low: message.id.low), Int64(age), notified))
        }
    }

    private func overdue(
        _ queue: QueueFixture, _ failureClass: DeliveryFailure.FailureClass, lookedAt: Int = 4096
    ) async throws -> [Int] {
        let now = try await queue.store.databaseTime()
        let criteria = OverdueCriteria(.standard, after: failureClass, now: now)
        var found: [QueueEntry] = []
        var cursor: ClaimCursor?
        repeat {
            let page = try await queue.store.overdueEntries(
                try queue.term(), destination: bravo, criteria, after: cursor, maximumCount: 2, lookedAt: lookedAt)
            #expect(page.entries.count <= 2)
            found += page.entries
            cursor = page.cursor
        } while cursor != nil
        return found.map { Int((now - $0.arrival).components.seconds / 3600) }
    }

    @Test("Found are those whose sender is to be told of the delay, and those too old, however they lie among others")
    func overdueEntries() async throws {
        try await QueueFixture.run { queue in
            try await self.fill(queue, ages: [0, 1, 3, 5, 6, 7, 30])
            try await self.fill(queue, ages: [8, 9, 10, 26], notified: true)
            #expect(try await self.overdue(queue, .security) == [30, 26, 7, 6, 5])
            #expect(try await self.overdue(queue, .general) == [30, 7, 6, 5])
            // Whatever the size of the pages.
            for count in [1, 2, 3] {
                #expect(try await self.overdue(queue, .security, lookedAt: count) == [30, 26, 7, 6, 5])
            }
            #expect(try await queue.count("ready") == 11, "nothing is changed by looking")
        }
    }
}
