import MailModel
import Routing
import TestLiterals
import Testing

@testable import Admission

/// Answers of next hops about recipients, and how long they are kept.
@Suite("Call-ahead table")
struct CallAheadTableTests {
    private let start = MonotonicInstant(nanoseconds: 1)

    private func expect<Value: Equatable>(
        _ actual: Value, _ wanted: Value, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(actual == wanted, sourceLocation: sourceLocation)
    }

    private typealias Table = CallAheadTable<String>
    private let bob = CallAheadAddress("bob@bravo.test", of: "bravo.test", at: .domain("bravo.test"))
    private let refusal = CallAheadVerdict.unknown(SMTPReply(550, nil, "no"))

    private func table(entries: Int = 10, questions: Int = 10) -> Table {
        Table(.init(positiveTime: .seconds(100), negativeTime: .seconds(10), entries: entries, questions: questions))
    }

    @Test("An address is asked about once, however many want to know, and whatever its case")
    func singleFlight() {
        var table = self.table()
        let sameBob = CallAheadAddress("BOB@bravo.test", of: "bravo.test", at: .domain("bravo.test"))
        self.expect(table.asked(self.bob, by: "one", at: self.start), .ask(question: 1))
        self.expect(table.asked(sameBob, by: "two", at: self.start), .joined)
        self.expect(table.landed(self.bob, question: 1, .exists, hearing: .answer, at: self.start), ["one", "two"])
        self.expect(table.asked(self.bob, by: "three", at: self.start), .answer(.exists))
    }

    @Test("What one next hop has said is no answer of another, nor of one that is still being asked")
    func otherNextHop() {
        var table = self.table()
        let moved = CallAheadAddress("bob@bravo.test", of: "bravo.test", at: .host("mx2.bravo.test"))
        self.expect(table.asked(self.bob, by: "one", at: self.start), .ask(question: 1))
        self.expect(table.asked(moved, by: "two", at: self.start), .ask(question: 2))
        self.expect(table.landed(self.bob, question: 1, self.refusal, hearing: .answer, at: self.start), ["one"])
        self.expect(table.landed(moved, question: 2, .exists, hearing: .answer, at: self.start), ["two"])
        self.expect(table.asked(self.bob, by: "three", at: self.start), .answer(self.refusal))
        self.expect(table.asked(moved, by: "four", at: self.start), .answer(.exists))
    }

    @Test("A good answer is kept longer than a bad one, and no answer not at all")
    func lifetimes() {
        for (verdict, seconds) in [(CallAheadVerdict.exists, 100), (self.refusal, 10)] {
            var table = self.table()
            _ = table.asked(self.bob, by: "one", at: self.start)
            _ = table.landed(self.bob, question: 1, verdict, hearing: .answer, at: self.start)
            let last = self.start + .seconds(seconds)
            self.expect(table.asked(self.bob, by: "two", at: last - .milliseconds(1)), .answer(verdict))
            self.expect(table.asked(self.bob, by: "two", at: last), .ask(question: 2))
        }
        var table = self.table()
        _ = table.asked(self.bob, by: "one", at: self.start)
        self.expect(table.landed(self.bob, question: 1, .unsure, hearing: .silence, at: self.start), ["one"])
        self.expect(table.asked(self.bob, by: "two", at: self.start), .ask(question: 2))
    }

    @Test("An answer after the deadline is kept, and tells whoever asked again; no answer then tells nobody")
    func lateAnswer() {
        var table = self.table()
        _ = table.asked(self.bob, by: "one", at: self.start)
        self.expect(table.landed(self.bob, question: 1, .unsure, hearing: .silence, at: self.start), ["one"])
        self.expect(table.asked(self.bob, by: "two", at: self.start), .ask(question: 2))
        self.expect(table.landed(self.bob, question: 1, .unsure, hearing: .silence, at: self.start), [])
        self.expect(table.landed(self.bob, question: 1, .exists, hearing: .answer, at: self.start), ["two"])
        self.expect(table.landed(self.bob, question: 2, .unsure, hearing: .silence, at: self.start), [])
        self.expect(table.asked(self.bob, by: "three", at: self.start), .answer(.exists))
    }

    @Test("More questions at once than there may be are not asked")
    func tooMany() {
        var table = self.table(questions: 1)
        _ = table.asked(self.bob, by: "one", at: self.start)
        let eve = CallAheadAddress("eve@bravo.test", of: "bravo.test", at: .domain("bravo.test"))
        self.expect(table.asked(eve, by: "two", at: self.start), .refused(.all(1)))
        self.expect(table.asked(self.bob, by: "three", at: self.start), .joined)
    }

    private func address(_ name: String, _ domain: String) throws -> CallAheadAddress {
        let mailbox = try #require(Mailbox("\(name)@\(domain)"))
        let domain = try #require(DomainName(domain))
        return CallAheadAddress(mailbox, of: domain, at: .domain(domain))
    }

    /// 20 questions at once, 8 of one domain, and 10 for next hops that do not answer, 2 of one domain.
    private func smallTable() -> Table {
        var limits = Table.Limits(positiveTime: .seconds(100), negativeTime: .seconds(10), entries: 1000)
        (limits.questions, limits.questionsPerDomain) = (20, 8)
        return Table(limits)
    }

    /// How many of these are asked about.
    private func asked(_ table: inout Table, _ count: Int, _ domain: String) throws -> [Table.Step] {
        try (0..<count).map { try table.asked(self.address("u\($0)", domain), by: "\($0)", at: self.start) }
    }

    private func count(_ steps: [Table.Step]) -> Int { steps.count { if case .ask = $0 { true } else { false } } }

    @Test(
        "Of a next hop that does not answer few questions are asked, and of all these half; of one that does, its share (field A4)"
    )
    func silentNextHops() throws {
        var table = self.smallTable()
        self.expect(table.asked(self.bob, by: "one", at: self.start), .ask(question: 1))
        _ = table.landed(self.bob, question: 1, .exists, hearing: .answer, at: self.start)
        for number in 0..<5 {
            let steps = try self.asked(&table, 4, "silent\(number).test")
            #expect(self.count(steps) == 2 && steps.last == .refused(.domain(2)))
        }
        let first = try self.asked(&table, 2, "silent5.test")
        #expect(self.count(first) == 1 && first.last == .refused(.unanswered(10)), "a first question is always asked")
        let answering = try self.asked(&table, 10, "bravo.test")
        // Fifteen are for those of whom one is under way already.
        #expect(self.count(answering) == 4 && answering.last == .refused(.all(15)))
        let others = try (0..<10).map { try self.count(self.asked(&table, 1, "first\($0).test")) }
        #expect(others.reduce(0, +) == 5)
        self.expect(table.asked(try self.address("u", "more.test"), by: "u", at: self.start), .refused(.all(20)))
    }

    @Test("A next hop that answers is asked as many questions as one domain may have (field A4)")
    func answeringNextHop() throws {
        var table = self.smallTable()
        _ = table.asked(self.bob, by: "one", at: self.start)
        _ = table.landed(self.bob, question: 1, .exists, hearing: .answer, at: self.start)
        let steps = try self.asked(&table, 9, "bravo.test")
        #expect(self.count(steps) == 8 && steps.last == .refused(.domain(8)))
    }

    @Test("Only silence makes a next hop one that does not answer (field A4)")
    func deferrals() throws {
        var table = self.smallTable()
        let hearings: [(Table.Hearing, Bool)] = [(.answer, true), (.nothing, true), (.silence, false), (.answer, true)]
        for (number, (hearing, isAnswering)) in hearings.enumerated() {
            let address = try self.address("v\(number)", "bravo.test")
            _ = table.asked(address, by: "v", at: self.start)
            _ = table.landed(address, question: UInt64(number + 1), .unsure, hearing: hearing, at: self.start)
            #expect(table.isAnswering("bravo.test") == isAnswering, "\(number)")
        }
    }
}
