import DeliveryQueue
import MailModel
import PostgresDriver
import TestLiterals
import Testing

@testable import QueueStore

/// Standing rules, from the operator's command to the nodes.
@Suite("Standing rules in the database", .timeLimit(.minutes(2)))
struct QueueRuleTests {
    private func audit(_ queue: QueueFixture) async throws -> [String] {
        let rows = try await queue.admin.query(
            Statement(
                """
                SELECT concat_ws(' ', action, regexp_replace(selection, ' until=.*', ''), role, reason)
                FROM relay.administration WHERE finished_at IS NOT NULL ORDER BY began_at
                """)
        ).rows
        return try rows.map { try $0.get(0, as: String.self) }
    }

    @Test("A node reads what has changed, and nothing else; making and lifting are on record")
    func read() async throws {
        try await QueueFixture.run { queue in
            let none = try await queue.store.queueRules(unless: nil)
            #expect(none.rules == [])
            try await queue.withOperator { operators in
                let rule = try await operators.make(.suspend, bravo.text, because: "disk full")
                let now = try await queue.store.databaseTime()
                #expect(rule.since <= now && (rule.until ?? now) - now <= .seconds(600))
                let made = try await queue.store.queueRules(unless: none.version)
                #expect(made.rules == [rule])
                let same = try await queue.store.queueRules(unless: made.version)
                #expect(same.rules == nil && same.version == made.version)
                #expect(try await operators.lift([rule.id], by: "olga@ops", because: "repaired") == 1)
                #expect(try await operators.lift([rule.id], by: "olga@ops", because: nil) == 0)
                #expect(try await queue.store.queueRules(unless: made.version).rules == [])
            }
            #expect(
                try await self.audit(queue) == [
                    "suspend domain=bravo.test operator disk full",
                    "resume rule=1 suspend domain=bravo.test operator repaired",
                    "resume nothing operator",
                ])
        }
    }

    @Test("However fast others make and lift a rule, a node never reads that one which stays is gone")
    func oneSnapshot() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let rule = try await operators.make(.suspend, bravo.text)
                let known = try await queue.store.queueRules(unless: nil).version
                async let others: [QueryResult] = queue.admin.script(
                    """
                    DO $$ BEGIN
                        FOR i IN 1..5000 LOOP
                            INSERT INTO relay.queue_rule (action, scope, until, reason, actor)
                            VALUES ('bounce', 'charlie.test', now() + interval '1 hour', 'x', 'x');
                            COMMIT;
                            DELETE FROM relay.queue_rule WHERE scope = 'charlie.test';
                            COMMIT;
                        END LOOP;
                    END $$
                    """)
                var changes = 0
                for _ in 0..<1000 {
                    guard let rules = try await queue.store.queueRules(unless: known).rules else { continue }
                    changes += 1
                    try #require(rules.contains(rule), "\(rules)")
                }
                #expect(changes > 10, "it was looked in between")
                _ = try await others
            }
        }
    }

    @Test("Made again, a rule has another end and reason, and the same number and beginning")
    func again() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let first = try await operators.make(.suspend, bravo.text)
                let version = try await queue.store.queueRules(unless: nil).version
                let second = try await operators.make(.suspend, bravo.text, until: .lifted, because: "still full")
                #expect(second.id == first.id && second.since == first.since)
                #expect(second.until == nil && second.reason == "still full")
                #expect(try await queue.store.queueRules(unless: version).rules == [second])
                #expect(try await operators.rules() == [second])
            }
        }
    }

    @Test("A rule that has ended is not in force, though it is still stored, and goes with the next change")
    func ended() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                _ = try await operators.make(.bounce, "*.bravo.test")
                try await queue.admin.script("UPDATE relay.queue_rule SET until = now() - interval '1 second'")
                #expect(try await operators.rules().isEmpty)
                #expect(try await queue.store.queueRules(unless: nil).rules == [])
                #expect(try await queue.count("queue_rule") == 1)
                _ = try await operators.make(.suspend, "*")
                #expect(try await queue.count("queue_rule") == 1)
            }
        }
    }

    @Test("The same operation done again, since its answer was lost, does nothing")
    func repeated() async throws {
        try await QueueFixture.run { queue in
            let make =
                "SELECT id FROM relay.make_queue_rule('\(Self.operation)', 'suspend', '*', NULL, '1 hour', 'x', 'y')"
            try await queue.admin.script("\(make); \(make)")
            let lift = "SELECT relay.lift_queue_rules('\(Self.otherOperation)', ARRAY[1]::int8[], 'x', NULL)"
            let lifted = try await queue.admin.query(Statement(lift)).single().get(0, as: Int64.self)
            let again = try await queue.admin.query(Statement(lift)).single().get(0, as: Int64.self)
            #expect(lifted == 1 && again == 1)
            #expect(try await queue.count("administration") == 2)
        }
    }

    private static let operation = "00000000-0000-0000-0000-000000000001"
    private static let otherOperation = "00000000-0000-0000-0000-000000000002"

    @Test(
        "There are no more than a thousand rules; one that would end before it begins, or a bounce without an end, is refused"
    )
    func limits() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                try await queue.admin.script(
                    """
                    INSERT INTO relay.queue_rule (action, scope, until, reason, actor)
                    SELECT 'suspend', 'd' || i || '.test', now() + interval '1 hour', 'x', 'x'
                    FROM generate_series(1, \(QueueRules.most)) AS i
                    """)
                await #expect {
                    _ = try await operators.make(.suspend, bravo.text)
                } throws: { "\($0)".contains("1000 rules") }
                #expect(try await operators.make(.suspend, "d7.test").reason == "a test", "it is there already")
                #expect(try await queue.count("queue_rule") == 1000)
                let past = try await queue.store.databaseTime() + .seconds(-1)
                await #expect(throws: QueueStoreError.self) {
                    _ = try await operators.make(.suspend, "d8.test", until: .at(past))
                }
                await #expect(throws: QueueStoreError.self) {
                    _ = try await operators.make(.bounce, "d8.test", until: .lifted)
                }
            }
        }
    }

    @Test("A domain that is not in lower case, which no node would find, is refused, and so is a reason over 200 bytes")
    func wellFormed() async throws {
        try await QueueFixture.run { queue in
            for (scope, reason) in [
                ("BRAVO.test", "x"), ("*.Bravo.test", "x"), ("*", String(repeating: "é", count: 101)),
            ] {
                await #expect(throws: PostgresError.self) {
                    try await queue.admin.query(
                        Statement(
                            """
                            SELECT FROM relay.make_queue_rule(
                                gen_random_uuid(), 'suspend', $1, NULL, '1 hour', 'x', $2)
                            """, scope, reason))
                }
            }
            let count = try await queue.count("queue_rule")
            #expect(count == 0)
        }
    }

    @Test("A node's login, and a viewer's, make and lift nothing")
    func privileges() async throws {
        try await QueueFixture.run { queue in
            for statement in [
                "SELECT relay.make_queue_rule('\(Self.operation)', 'suspend', '*', NULL, '1 hour', 'x', 'y')",
                "SELECT relay.lift_queue_rules('\(Self.operation)', '{1}', 'x', NULL)", "DELETE FROM relay.queue_rule",
            ] {
                await #expect(throws: PostgresError.self) { try await queue.pool.query(Statement(statement)) }
                await #expect(throws: PostgresError.self) {
                    try await queue.admin.script("SET LOCAL ROLE relay_viewer; \(statement)")
                }
            }
            try await queue.admin.script("SET LOCAL ROLE relay_viewer; SELECT * FROM relay.queue_rule")
        }
    }

    @Test("The database and the nodes agree which rule governs a domain")
    func sameRule() async throws {
        try await QueueFixture.run { queue in
            try await queue.withOperator { operators in
                let domains = [
                    "bravo.test", "a.bravo.test", "x.y.bravo.test", "test", "charlie.example", "xbravo.test",
                ]
                for (action, scope) in [
                    (QueueRule.Action.suspend, "*"), (.suspend, "*.test"), (.suspend, "bravo.test"),
                    (.suspend, "*.bravo.test"), (.bounce, "*.y.bravo.test"), (.suspend, "x.y.bravo.test"),
                ] {
                    _ = try await operators.make(action, scope)
                    let rules = QueueRules(try await operators.rules())
                    let now = try await queue.store.databaseTime()
                    for name in domains {
                        let found = try await queue.pool.query(
                            Statement("SELECT id FROM relay.governing_rule($1)", name)
                        ).rows.map { try $0.get(0, as: Int64.self) }
                        #expect(
                            found.first
                                == rules.governing(DomainName(stringLiteral: name), isFromNullSender: false, at: now)?
                                .id,
                            "\(name)")
                    }
                }
            }
        }
    }
}
