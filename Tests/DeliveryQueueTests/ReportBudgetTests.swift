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
        func report(_ number: UInt64) -> ReportBudget.Report {
            Self.report(from: IPAddress("192.0.2.\(number)"), on: number)
        }
        for number in 0..<3 { #expect(budget.spend(report(UInt64(number)), at: Self.minute(0)) == nil) }
        #expect(budget.spend(report(9), at: Self.minute(59)) == .senderDomain)
        #expect(budget.spend(Self.report(to: "other.test", on: 9), at: Self.minute(59)) == nil)
        // Half of the hour before still counts, then nothing of it.
        #expect(budget.spend(report(10), at: Self.minute(90)) == nil)
        #expect(budget.spend(report(11), at: Self.minute(90)) == .senderDomain)
        #expect(budget.spend(report(11), at: Self.minute(300)) == nil)
    }

    @Test("A client causes so many reports in an hour, whoever is named as the sender (field A3)")
    func client() {
        var budget = ReportBudget(.init(perSenderDomain: 0, perClient: 2))
        #expect(budget.spend(Self.report(to: "a.test", on: 1), at: Self.minute(0)) == nil)
        #expect(budget.spend(Self.report(to: "b.test", on: 2), at: Self.minute(0)) == nil)
        #expect(budget.spend(Self.report(to: "c.test", on: 3), at: Self.minute(0)) == .client)
        #expect(budget.spend(Self.report(to: "c.test", from: IPAddress("192.0.2.2"), on: 3), at: Self.minute(0)) == nil)
    }

    @Test("The first report on a message comes; the others together are no larger than the message (field A3)")
    func message() {
        // A message of 31 KB for 1,000 of our domains, each of which makes a report of 6 KB.
        var budget = ReportBudget(.init(perSenderDomain: 0, perClient: 0))
        let refusals = (0..<1000).map { _ in budget.spend(Self.report(of: 31_000, bytes: 6000), at: Self.minute(0)) }
        #expect(refusals == Array(repeating: nil, count: 6) + Array(repeating: .message, count: 994))
        // What is left is for a shorter one.
        #expect(budget.capacity(for: MessageID(high: 0, low: 1), of: 31_000, at: Self.minute(0)) == 1000)
        #expect(budget.spend(Self.report(of: 31_000, bytes: 1000), at: Self.minute(0)) == nil)
        #expect(budget.spend(Self.report(of: 31_000, bytes: 1), at: Self.minute(0)) == .message)
        // The first one of a small message comes all the same, whatever its size, and others of other messages.
        #expect(budget.capacity(for: MessageID(high: 0, low: 2), of: 500, at: Self.minute(0)) == nil)
        let small = (0..<3).map { _ in budget.spend(Self.report(on: 2, of: 500, bytes: 2000), at: Self.minute(0)) }
        #expect(small == [nil, .message, .message])
    }

    @Test("Between two windows of an hour no message is new: its reports count for an hour at least (field A3)")
    func messageBetweenWindows() {
        var budget = ReportBudget(.init(perSenderDomain: 0, perClient: 0))
        #expect(budget.spend(Self.report(on: 9), at: Self.minute(0)) == nil)
        #expect(budget.spend(Self.report(on: 1, of: 500, bytes: 2000), at: Self.minute(59)) == nil)
        #expect(budget.spend(Self.report(on: 1, of: 500, bytes: 2000), at: Self.minute(61)) == .message)
        #expect(budget.spend(Self.report(on: 1, of: 500, bytes: 2000), at: Self.minute(180)) == nil)
    }

    @Test("One client has a tenth of a sender domain's reports, so others' are left to come (field A3)")
    func clientShare() {
        var budget = ReportBudget(.init(perSenderDomain: 100, perClient: 0))
        let refusals = (0..<50).map { budget.spend(Self.report(on: $0), at: Self.minute(0)) }
        #expect(refusals == Array(repeating: nil, count: 10) + Array(repeating: .clientAndSenderDomain, count: 40))
        #expect(budget.spend(Self.report(to: "other.test", on: 50), at: Self.minute(0)) == nil)
        let others = (0..<100).map { number in
            budget.spend(Self.report(from: .v4(UInt32(1 + number)), on: 100 + UInt64(number)), at: Self.minute(0))
        }
        #expect(others.count { $0 == nil } == 90 && others.last == .senderDomain)
        // A tenth of a few is one.
        var few = ReportBudget(.init(perSenderDomain: 3, perClient: 0))
        #expect(few.spend(Self.report(on: 1), at: Self.minute(0)) == nil)
        #expect(few.spend(Self.report(on: 2), at: Self.minute(0)) == .clientAndSenderDomain)
    }

    @Test(
        "Who fills the table gains nothing: what it does not hold shares one count (field A3)",
        arguments: [(5, 101), (50, 105)])
    func fullTable(_ limit: Int, _ reports: Int) {
        var budget = ReportBudget(.init(perSenderDomain: limit, perClient: 0, capacity: 100))
        let told = (0..<1000).count { number in
            budget.spend(Self.report(to: "d\(number).test", on: UInt64(number)), at: Self.minute(0)) == nil
        }
        // One for each domain that has a count, and for the others what a client may have of one domain's.
        #expect(told == reports)
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
