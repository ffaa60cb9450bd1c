import DeliveryQueue
import MailModel
import Testing

/// Which of operators' rules decides about a domain, at which time.
@Suite("Standing rules as a value")
struct QueueRuleTests {
    private static let start = Timestamp(seconds: 1_800_000_000)

    private static func rule(
        _ id: Int64, _ action: QueueRule.Action, _ scope: String, for minutes: Int? = 60
    ) throws -> QueueRule {
        let scope = try #require(QueueRule.Scope(scope, domainName: { DomainName($0) }))
        return QueueRule(
            id: id, action: action, scope: scope, since: Self.start,
            until: minutes.map { Self.start + .seconds($0 * 60) }, reason: "why", actor: "olga@ops")
    }

    private static func governing(
        _ rules: [QueueRule], _ domain: String, isFromNullSender: Bool = false, after minutes: Int = 0
    ) -> Int64? {
        let now = Self.start + .seconds(minutes * 60)
        return DomainName(domain).flatMap {
            QueueRules(rules).governing($0, isFromNullSender: isFromNullSender, at: now)?.id
        }
    }

    @Test("A rule is about its domain, about what is below one, or about everything")
    func scopes() throws {
        let exact = [try Self.rule(1, .suspend, "bravo.test")]
        #expect(Self.governing(exact, "bravo.test") == 1)
        #expect(Self.governing(exact, "mx.bravo.test") == nil && Self.governing(exact, "test") == nil)
        let below = [try Self.rule(2, .suspend, "*.bravo.test")]
        #expect(Self.governing(below, "a.b.bravo.test") == 2)
        #expect(Self.governing(below, "bravo.test") == nil && Self.governing(below, "xbravo.test") == nil)
        #expect(Self.governing([try Self.rule(3, .suspend, "*")], "bravo.test") == 3)
        #expect(Self.governing([], "bravo.test") == nil)
    }

    @Test("A bounce comes before a suspension, however closely that names the domain")
    func bounceFirst() throws {
        let rules = [try Self.rule(1, .suspend, "bravo.test"), try Self.rule(2, .bounce, "*")]
        #expect(Self.governing(rules, "bravo.test") == 2)
    }

    @Test(
        "A bounce of many domains is not about mail from the null sender, such as the reports on what it gives up",
        arguments: [("*", false), ("*.test", false), ("bravo.test", true)])
    func nullSender(_ scope: String, isGivenUp: Bool) throws {
        let bounce = try Self.rule(1, .bounce, scope)
        #expect(Self.governing([bounce], "bravo.test") == 1)
        #expect(Self.governing([bounce], "bravo.test", isFromNullSender: true) == (isGivenUp ? 1 : nil))
        let both = [bounce, try Self.rule(2, .suspend, "*")]
        #expect(Self.governing(both, "bravo.test") == 1)
        #expect(Self.governing(both, "bravo.test", isFromNullSender: true) == (isGivenUp ? 1 : 2), "it waits")
    }

    @Test("Of the same action, the rule counts that names the domain most closely")
    func closest() throws {
        let rules = try ["*", "*.test", "*.bravo.test", "mx.bravo.test"].enumerated().map {
            try Self.rule(Int64($0.offset), .suspend, $0.element)
        }
        #expect(Self.governing(rules, "mx.bravo.test") == 3)
        #expect(Self.governing(rules, "other.bravo.test") == 2)
        #expect(Self.governing(rules, "bravo.test") == 1)
        #expect(Self.governing(rules, "bravo.example") == 0)
    }

    @Test("A rule ends at its time, and then the next one counts; one without a time does not end")
    func ends() throws {
        let rules = [
            try Self.rule(1, .bounce, "bravo.test", for: 10), try Self.rule(2, .suspend, "bravo.test", for: 20),
            try Self.rule(3, .suspend, "*", for: nil),
        ]
        #expect(Self.governing(rules, "bravo.test", after: 9) == 1)
        #expect(Self.governing(rules, "bravo.test", after: 10) == 2)
        #expect(Self.governing(rules, "bravo.test", after: 20) == 3)
        #expect(QueueRules(rules).inForce(at: Self.start + .seconds(900)).map(\.id) == [2, 3])
    }
}
