import ClusterModel
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

/// An owner keeps in memory what it has claimed. Whoever has the entry first, the operator or the owner, has it.
@Suite("Operators and owners at the same entry", .timeLimit(.minutes(3)))
struct AdministrationRaceTests {
    private static let removing: [QueueAction] = [.hold, .fail, .drop]

    @Test("The operator first: the owner's attempt is not opened, and its outcome not recorded", arguments: removing)
    func operatorFirst(_ action: QueueAction) async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.writer.enqueue(queue.message())
                let entry = try await queue.claimOne()
                let epoch = try queue.term().epoch
                #expect(try await operators.perform(action) == [1, 0])
                #expect(try await queue.store.openAttempts([(entry, epoch)]).isEmpty)
                // A connection that failed meanwhile says so without an attempt on record.
                let results = await queue.store.recordOutcomes([try await queue.retry(entry, in: .seconds(60))])
                #expect(await code { try results[0].get() } == .entryChanged)
                try await queue.expectSums(ready: action == .fail ? 1 : 0, held: action == .hold ? 1 : 0)
            }
        }
    }

    @Test(
        "The owner first: the entry is not changed, the outcome recorded; then it is the operator's",
        arguments: removing
    )
    func ownerFirst(_ action: QueueAction) async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.writer.enqueue(queue.message())
                let entry = try await queue.claimOne()
                #expect(try await queue.store.openAttempts([(entry, try queue.term().epoch)]) == [entry.key])
                #expect(try await operators.page(of: QueueSelection()).entries.map(\.state) == [.active])
                let count = try await operators.count(action, QueueSelection())
                #expect([count.affected, count.inDelivery] == [0, 1])
                #expect(try await operators.perform(action) == [0, 1])
                try await queue.store.recordOutcomes([try await queue.retry(entry, in: .seconds(60))]).forEach {
                    try $0.get()
                }
                #expect(try await operators.perform(action) == [1, 0])
                try await queue.expectSums(ready: action == .fail ? 1 : 0, held: action == .hold ? 1 : 0)
            }
        }
    }

    @Test("The operator's transaction is open when the owner opens an attempt: the owner waits, and opens none")
    func operatorsTransactionOpen() async throws {
        try await QueueFixture.run { queue in
            for action in Self.removing {
                let name: DomainName = "\(action.rawValue).test"
                try await queue.writer.enqueue(queue.message(to: [name]))
                let entry = try await queue.claimOne(name)
                let id = "(SELECT message_id FROM relay.ready WHERE domain = '\(name)')"
                let epoch = try queue.term(name).epoch
                let opened = try await queue.whileOpen(
                    """
                    SELECT relay.begin_administration(\(id), '\(action.rawValue)', 'x', 'x', NULL);
                    SELECT relay.administer(\(id), 1, 'ready', '{\(entry.key.shard)}', ARRAY[\(id)], '{\(name)}')
                    """
                ) { administration in
                    async let opened = queue.store.openAttempts([(entry, epoch)])
                    try await administration.waitUntilItHoldsUp()
                    try await administration.commit()
                    return try await opened
                }
                #expect(opened.isEmpty)
                #expect(try await queue.count("open_attempt") == 0)
            }
            try await queue.expectSums(ready: 1, held: 1)
        }
    }

    @Test("The owner's transaction is open when the operator comes: nobody waits, and the entry is not changed")
    func ownersTransactionOpen() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.writer.enqueue(queue.message())
                let counts = try await queue.whileOpen("SELECT FROM relay.ready FOR KEY SHARE") { _ in
                    try await operators.perform(.drop)
                }
                #expect(counts == [0, 1])
                try await queue.expectSums(ready: 1)
            }
        }
    }

    @Test("What a former owner delivers late leaves the queue although it was held; what was dropped stays so")
    func lateDelivery() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                for action in [QueueAction.hold, .drop] {
                    try await queue.writer.enqueue(queue.message())
                    let entry = try await queue.claimOne()
                    _ = try await queue.store.openAttempts([(entry, try queue.term().epoch)])
                    try await queue.takeOver(entry.key.shard)
                    #expect(try await operators.perform(action) == [1, 0], "its owner has lost it")
                    #expect(try await queue.store.recordLateDelivery(try queue.delivered(entry)) == (action == .hold))
                    try await queue.expectSums()
                    try await queue.admin.query(
                        Statement("UPDATE relay.shard_lease SET epoch = 1 WHERE shard = $1", entry.key.shard.rawValue))
                }
            }
        }
    }

    @Test(
        "Owner and operator at work on the same mail at once: each entry is delivered or dropped, none is both or neither"
    )
    func together() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let total = 400
                for _ in 0..<total { try await queue.writer.enqueue(queue.message()) }
                // The operator is first, since an owner that is quick may leave nothing.
                var dropped = try await operators.perform(.drop, Self.some(of: operators))[0]
                async let delivered = Self.deliverAll(queue)
                // Smaller and smaller parts, so that the two meet often.
                for _ in 0..<20 { dropped += try await operators.perform(.drop, Self.some(of: operators))[0] }
                let sent = try await delivered
                #expect(sent + dropped == total)
                #expect(dropped > 0)
                try await queue.expectSums()
                let kinds = try await queue.admin.query(
                    Statement(
                        """
                        SELECT count(*) FROM (SELECT message_id FROM relay.trace WHERE kind IN ('SEND', 'DROP')
                            GROUP BY message_id HAVING count(*) = 1) AS t
                        """)
                ).single().get(0, as: Int64.self)
                #expect(kinds == Int64(total))
            }
        }
    }

    private static func some(of operators: QueueAdministration) async throws -> QueueSelection {
        var selection = QueueSelection.domain(bravo)
        selection.messages = try await operators.page(of: selection, span: 40).entries.suffix(10).map(\.key.message)
        return selection
    }

    /// Delivers what is due, as an owner does, until nothing is left.
    private static func deliverAll(_ queue: QueueFixture) async throws -> Int {
        let term = try queue.term()
        var sent = 0
        while true {
            let claimed = try await queue.store.claim(term, destination: bravo, maximumCount: 20).entries
            if claimed.isEmpty { return sent }
            let opened = try await queue.store.openAttempts(claimed.map { ($0, term.epoch) })
            let outcomes = try claimed.filter { opened.contains($0.key) }.map { try queue.delivered($0) }
            for result in await queue.store.recordOutcomes(outcomes) {
                try result.get()
                sent += 1
            }
        }
    }
}
