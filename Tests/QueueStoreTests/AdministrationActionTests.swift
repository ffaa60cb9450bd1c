import ClusterModel
import DeliveryQueue
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

@Suite("What operators do to entries", .timeLimit(.minutes(3)))
struct AdministrationActionTests {
    @Test("What is held is neither claimed nor promoted, whatever waited for it; released, it is due at once")
    func holdAndRelease() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.enqueueFailed(wait: .seconds(7200))
                let message = queue.message()
                try await queue.writer.enqueue(message)
                try await queue.writer.enqueue(queue.message(to: ["charlie.test"]))
                #expect(try await operators.perform(.hold) == [2, 0])
                try await queue.expectSums(ready: 1, held: 2)
                let term = try queue.term()
                #expect(try await queue.store.claim(term, destination: bravo).entries.isEmpty)
                #expect(try await queue.store.promoteDeferred(term, within: .seconds(86_400)) == 0)
                #expect(try await operators.perform(.hold) == [0, 0], "it is held already")

                #expect(try await operators.perform(.release) == [2, 0])
                try await queue.expectSums(ready: 3)
                let claimed = try await queue.store.claim(term, destination: bravo).entries
                #expect(Set(claimed.map(\.attempts)) == [0, 1], "attempts made are remembered")
                let trace = try await queue.store.trace(of: message.id)
                #expect(trace.map(\.kind) == [.receive, .hold, .release])
                #expect(trace.last?.reply == "by olga@ops: a test")
                #expect(trace.last?.recipients == "bob@bravo.test")
            }
        }
    }

    @Test("Retry makes due what waits, however long, and has the destination tried again at once")
    func retry() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.enqueueFailed(wait: .seconds(7200))
                try await queue.enqueueFailed(wait: .seconds(600))
                try await queue.writer.enqueue(queue.message())
                let term = try queue.term()
                try await queue.leaveAlone(bravo)
                #expect(try await queue.store.dueDestinations([term]).due.isEmpty)
                #expect(try await operators.count(.retry, .domain(bravo)).affected == 3)
                #expect(try await operators.perform(.retry) == [3, 0])
                try await queue.expectSums(ready: 3)
                #expect(try await queue.store.dueDestinations([term]).due.map(\.destination) == [bravo])
                let claim = try await queue.store.claim(term, destination: bravo)
                #expect(claim.entries.count == 3)
                #expect(
                    !claim.isBackoffInForce && claim.backoff?.failures == 3, "the next attempt is the test delivery")
            }
        }
    }

    @Test("Owners see at their next look what was retried, also where all of it was due long ago and in backoff")
    func retryIsSeen() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.writer.enqueue(queue.message())
                let term = try queue.term()
                try await queue.leaveAlone(bravo)
                try await queue.admin.query(
                    Statement("UPDATE relay.ready SET next_attempt_at = now() - interval '2 hours'"))
                let moment = try await queue.store.latelyDue([term]).moment
                #expect(try await operators.perform(.retry) == [1, 0])
                #expect(try await queue.store.latelyDue([term], since: moment).due.map(\.destination) == [bravo])
            }
        }
    }

    @Test("What operators change may lie in any partition of the ready entries, and be carried over afterwards")
    func partitions() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let term = try queue.term()
                try await queue.writer.enqueue(queue.message())
                #expect(try await queue.store.rotateReady(atLeast: 0))
                #expect(try await queue.store.carryOver(term) == 1, "to the third partition")
                try await queue.writer.enqueue(queue.message())
                #expect(try await operators.perform(.retry) == [2, 0])
                #expect(try await operators.perform(.fail) == [2, 0])
                #expect(try await operators.page(of: .domain(bravo)).entries.count == 2)
                #expect(
                    try await queue.store.claim(term, destination: bravo).entries.map(\.verdict) == [
                        "a test", "a test",
                    ])
                #expect(try await operators.perform(.hold) == [2, 0])
                #expect(try await operators.perform(.release) == [2, 0])
                #expect(try await operators.perform(.drop) == [2, 0])
                try await queue.expectSums()
            }
        }
    }

    @Test("Drop removes entries wherever they are; the content goes with the last entry of its message")
    func drop() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let other: DomainName = "charlie.test"
                try await queue.enqueueFailed(wait: .seconds(7200))
                var large = queue.message(to: [bravo, other])
                var writer = queue.writer.bodyWriter(for: large)
                try await writer.write(Array(repeating: 65, count: 200_000))
                large.body = .staged(try await writer.finish())
                try await queue.writer.enqueue(large)
                try await queue.writer.enqueue(queue.message())
                var held = QueueSelection()
                held.messages = [large.id]
                held.domains = [bravo]
                #expect(try await operators.perform(.hold, held) == [1, 0])
                #expect(try await operators.count(.drop, .domain(bravo)).affected == 3)
                #expect(try await operators.perform(.drop) == [3, 0])
                try await queue.expectSums(ready: 1)
                #expect(try await queue.count("body_chunk") == 4, "the copy for the other domain")
                #expect(try await operators.perform(.drop, .domain(other)) == [1, 0])
                try await queue.expectSums()
                #expect(try await queue.count("body_chunk") == 0)
                #expect(try await queue.count("message WHERE finished_at IS NULL OR body IS NOT NULL") == 0)
                let trace = try await queue.store.trace(of: large.id)
                #expect(trace.filter { $0.kind == .drop }.map(\.domain) == [bravo, other])
            }
        }
    }

    @Test("Fail makes an entry due with its verdict, which a hold takes back")
    func fail() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.enqueueFailed(wait: .seconds(7200))
                let term = try queue.term()
                try await queue.leaveAlone(bravo)
                #expect(try await operators.perform(.fail, because: "never was any good") == [1, 0])
                #expect(try await operators.count(.fail, .domain(bravo)).affected == 0)
                #expect(try await operators.perform(.fail, because: "twice") == [0, 0])
                #expect(try await queue.store.dueDestinations([term]).due.map(\.destination) == [bravo])
                let condemned = try await queue.claimOne()
                #expect(condemned.verdict == "never was any good")
                #expect(condemned.attempts == 1)

                #expect(try await operators.perform(.hold) == [1, 0])
                #expect(try await operators.perform(.release) == [1, 0])
                #expect(try await queue.claimOne().verdict == nil)
                #expect(try await operators.perform(.fail, because: nil) == [1, 0])
                #expect(try await queue.claimOne().verdict == "")
            }
        }
    }

    @Test(
        "What was given up gets its outcome also while its destination is in backoff, and what waits beside it does not"
    )
    func failWhileLeftAlone() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let given = queue.message()
                try await queue.writer.enqueue(given)
                try await queue.writer.enqueue(queue.message())
                var selection = QueueSelection()
                selection.messages = [given.id]
                #expect(try await operators.perform(.fail, selection) == [1, 0])
                try await queue.leaveAlone(bravo)
                let now = try await queue.store.databaseTime()
                let criteria = OverdueCriteria(.standard, after: .general, now: now)
                let page = try await queue.store.overdueEntries(try queue.term(), destination: bravo, criteria)
                #expect(page.entries.map(\.key.message) == [given.id])
            }
        }
    }

    @Test("A batch that is repeated, because the answer to its COMMIT was lost, is not done again")
    func repeatedBatch() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.writer.enqueue(queue.message())
                let entry = try await queue.claimOne()
                let operation = PostgresUUID(high: 1, low: 2)
                try await queue.admin.query(
                    Statement(
                        "SELECT relay.begin_administration($1, 'retry', 'olga@ops', 'everything', NULL)", operation))
                for _ in 0..<2 {
                    try await queue.admin.query(
                        Statement(
                            "SELECT relay.administer($1, 1, 'ready', $2, $3, $4)", operation,
                            [entry.key.shard.rawValue],
                            [PostgresUUID(high: entry.key.message.high, low: entry.key.message.low)],
                            [entry.key.domain.text]))
                }
                let affected = try await queue.admin.query(
                    Statement("SELECT affected FROM relay.finish_administration($1)", operation)
                ).single().get(0, as: Int64.self)
                #expect(affected == 1)
                #expect(try await queue.store.trace(of: entry.key.message).map(\.kind) == [.receive, .retry])
            }
        }
    }

    @Test("Each action is on record with its actor, its selection and what it came to")
    func record() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                for _ in 0..<3 { try await queue.writer.enqueue(queue.message()) }
                var selection = QueueSelection.domain(bravo)
                selection.senders = ["alice@alpha.test"]
                #expect(try await operators.perform(.drop, selection) == [3, 0])
                let row = try await queue.admin.query(
                    Statement(
                        """
                        SELECT action || ' ' || actor || ' ' || role || ' ' || selection || ' ' || reason || ' ' || affected
                        FROM relay.administration WHERE finished_at IS NOT NULL
                        """)
                ).single()
                #expect(
                    try row.get(0, as: String.self)
                        == "drop olga@ops operator domain=bravo.test sender=<alice@alpha.test> a test 3")
            }
        }
    }

    @Test("An edge node's role can do none of it, and an operator's can change nothing without a record")
    func rights() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let node = try await QueueAdministration(pool: queue.pool)
            #expect(try await node.page(of: QueueSelection()).entries.count == 1, "it may look")
            do {
                _ = try await node.perform(.drop)
                Issue.record("the node's role may drop mail")
            } catch let error as QueueStoreError {
                #expect(error.cause?.code == .insufficientPrivilege)
            }
            try await queue.withOperator { _ in
                let statements = [
                    "DELETE FROM relay.ready", "UPDATE relay.message SET sender = ''",
                    "DELETE FROM relay.administration", "INSERT INTO relay.held SELECT FROM relay.ready",
                ]
                for statement in statements {
                    let refused = await driverCode {
                        _ = try await queue.admin.script("SET LOCAL ROLE relay_admin; \(statement)")
                    }
                    #expect(refused == .insufficientPrivilege, "\(statement)")
                }
                let unrecorded = await driverCode {
                    _ = try await queue.admin.script(
                        """
                        SET LOCAL ROLE relay_admin;
                        SELECT relay.administer(gen_random_uuid(), 1, 'ready', '{}', '{}', '{}')
                        """)
                }
                #expect(unrecorded == .server)
            }
            try await queue.expectSums(ready: 1)
        }
    }
}
