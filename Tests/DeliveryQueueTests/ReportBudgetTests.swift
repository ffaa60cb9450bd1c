import DeliveryQueue
import MailModel
import Testing

/// How many reports strangers may cause.
@Suite("Budget of reports")
struct ReportBudgetTests {
    private static func report(
        to domain: String = "victim.test", from client: IPAddress? = IPAddress("192.0.2.1"), on message: UInt64 = 1,
        of messageBytes: Int = 1000, bytes: Int = 4000
    ) -> ReportBudget.Report {
        guard let domain = DomainName(domain) else { preconditionFailure("a test has a bad name: \(domain)") }
        return ReportBudget.Report(
            senderDomain: domain, client: client, message: MessageID(high: 0, low: message),
            messageBytes: messageBytes, bytes: bytes)
    }

    private static func minute(_ minute: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: (1000 + minute * 60) * 1_000_000_000)
    }

    @Test("A sender domain gets so many reports in an hour, whoever causes them (field A3)")
    func senderDomain() {
        var budget = ReportBudget(.init(perSenderDomain: 3, perClient: 0))
        for number in 0..<3 {
            let client = IPAddress("192.0.2.\(number)")
            #expect(budget.spend(Self.report(from: client, on: UInt64(number)), at: Self.minute(0)) == nil)
        }
        #expect(budget.spend(Self.report(on: 9), at: Self.minute(59)) == .senderDomain)
        #expect(budget.spend(Self.report(to: "other.test", on: 9), at: Self.minute(59)) == nil)
        // Half of the hour before still counts, then nothing of it.
        #expect(budget.spend(Self.report(on: 10), at: Self.minute(90)) == nil)
        #expect(budget.spend(Self.report(on: 11), at: Self.minute(90)) == .senderDomain)
        #expect(budget.spend(Self.report(on: 11), at: Self.minute(300)) == nil)
    }

    @Test("A client causes so many reports in an hour, whoever is named as the sender (field A3)")
    func client() {
        var budget = ReportBudget(.init(perSenderDomain: 0, perClient: 2))
        #expect(budget.spend(Self.report(to: "a.test", on: 1), at: Self.minute(0)) == nil)
        #expect(budget.spend(Self.report(to: "b.test", on: 2), at: Self.minute(0)) == nil)
        #expect(budget.spend(Self.report(to: "c.test", on: 3), at: Self.minute(0)) == .client)
        #expect(budget.spend(Self.report(to: "c.test", from: IPAddress("192.0.2.2"), on: 3), at: Self.minute(0)) == nil)
    }

    @Test("The reports on one message for many domains are no more than the message (field A3)")
    func message() {
        // A message of 31 KB for 1,000 of our domains, each of which makes a report of 6 KB.
        var budget = ReportBudget(.init(perSenderDomain: 0, perClient: 0))
        var told = 0
        for _ in 0..<1000 where budget.spend(Self.report(of: 31_000, bytes: 6000), at: Self.minute(0)) == nil {
            told += 1
        }
        #expect(told * 6000 <= 31_000)
        // A small one makes a few all the same: one attempt after another, or a few domains.
        var small = ReportBudget(.init(perSenderDomain: 0, perClient: 0))
        let refusals = (0..<6).map { _ in small.spend(Self.report(of: 500, bytes: 2000), at: Self.minute(0)) }
        #expect(refusals == [nil, nil, nil, nil, .message, .message])
    }

    @Test("Who fills the table gains nothing: what it does not hold shares one count (field A3)")
    func fullTable() {
        var budget = ReportBudget(.init(perSenderDomain: 5, perClient: 0, capacity: 100))
        let told = (0..<1000).count { number in
            budget.spend(Self.report(to: "d\(number).test", on: UInt64(number)), at: Self.minute(0)) == nil
        }
        #expect(told == 105)
    }

    @Test("What is refused spends nothing, and 0 is without limit")
    func refused() {
        var budget = ReportBudget(.init(perSenderDomain: 1, perClient: 2))
        #expect(budget.spend(Self.report(), at: Self.minute(0)) == nil)
        for _ in 0..<10 { #expect(budget.spend(Self.report(), at: Self.minute(0)) == .senderDomain) }
        #expect(budget.spend(Self.report(to: "other.test", on: 2), at: Self.minute(0)) == nil)
        var open = ReportBudget(.init(perSenderDomain: 0, perClient: 0))
        #expect((0..<10_000).allSatisfy { open.spend(Self.report(on: $0), at: Self.minute(0)) == nil })
    }
}
