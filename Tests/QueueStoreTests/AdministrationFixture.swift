import ClusterModel
import DeliveryQueue
import LabDatabase
import MailModel
import PostgresDriver
import TestLiterals
import Testing

@testable import QueueStore

extension QueueFixture {
    /// Runs `body` with the queue as an operator has it: by a login of the group `relay_admin`.
    func withOperator(_ body: (QueueAdministration) async throws -> Void) async throws {
        let pool = self.database.pool(QueueAdministration.poolSettings, as: QueueLogin.person)
        defer { pool.shutDown() }
        try await body(try await QueueAdministration(pool: pool))
    }

    /// The entries in a table by state, as the running sums have them and as they are.
    func expectSums(
        ready: Int = 0, deferred: Int = 0, held: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let sums = try await self.store.storedTotals()
        #expect(
            [sums[.ready], sums[.deferred], sums[.held]].map(\.entries) == [ready, deferred, held],
            sourceLocation: sourceLocation)
        var counted: [Int64] = []
        for table in ["ready", "deferred", "held"] { counted.append(try await self.count(table)) }
        #expect(counted == [Int64(ready), Int64(deferred), Int64(held)], sourceLocation: sourceLocation)
        let bytes = try await self.admin.query(
            Statement(
                """
                SELECT (SELECT coalesce(sum(size), 0)::int8 FROM (SELECT size FROM relay.ready UNION ALL
                    SELECT size FROM relay.deferred UNION ALL SELECT size FROM relay.held) AS e)
                """)
        ).single().get(0, as: Int64.self)
        #expect(try await self.store.storedTotal().bytes == Int(bytes), sourceLocation: sourceLocation)
    }

    /// Puts a destination in backoff for an hour.
    func leaveAlone(_ name: DomainName) async throws {
        try await self.admin.query(
            Statement(
                """
                INSERT INTO relay.destination (shard, destination, blocked_until, failures, reason)
                VALUES ($1, $2, now() + interval '1 hour', 3, 'connection-timeout')
                """, try self.term(name).shard.rawValue, name.text))
    }

    /// Stores one message and has an attempt at it fail; it waits for `wait`.
    @discardableResult
    func enqueueFailed(_ name: DomainName = bravo, wait: Duration) async throws -> QueueEntry {
        try await self.writer.enqueue(self.message(to: [name]))
        let entry = try await self.claimOne(name)
        for result in await self.store.recordOutcomes([try await self.retry(entry, in: wait)]) { try result.get() }
        return entry
    }
}

extension QueueSelection {
    static func domain(_ name: DomainName) -> QueueSelection {
        var selection = QueueSelection()
        selection.domains = [name]
        return selection
    }
}

extension QueueAdministration {
    /// Does it to all mail for `bravo.test`, and gives what was changed and what was in delivery.
    func perform(
        _ action: QueueAction, _ selection: QueueSelection = .domain(bravo), because reason: String? = "a test"
    ) async throws -> [Int] {
        let count = try await self.perform(action, on: selection, by: "olga@ops", because: reason)
        return [count.affected, count.inDelivery]
    }

    /// Makes a rule about a domain, `*.` and one, or `*`.
    func make(
        _ action: QueueRule.Action, _ scope: String, until end: QueueRuleEnd = .after(.seconds(600)),
        because reason: String = "a test"
    ) async throws -> QueueRule {
        let scope = try #require(QueueRule.Scope(scope, domainName: { DomainName($0) }))
        return try await self.make(action, scope, until: end, by: "olga@ops", because: reason)
    }
}
