import Admission
import DANE
import MailModel
import Routing
import Testing

@testable import EdgeNode

/// Lists of recipients, answers of next hops, and how long they are kept.
@Suite("Recipient verification")
struct RecipientVerificationTests {
    private let start = ContinuousClock.now

    // MARK: Lists

    @Test("A list is read line by line; quoted local parts and UTF-8 are local parts, too")
    func list() throws {
        let lines = SettingsFile.lines(of: "# staff\nAlice\n\n\"john doe\"\nJÜRGEN\n")
        let list = try RecipientList.read(lines).get()
        for known in ["alice", "ALICE", "\"John Doe\"", "jürgen", "postmaster", "\"alice\""] {
            let mailbox = try #require(Mailbox("\(known)@bravo.test"))
            #expect(list.contains(mailbox), "\(known)")
        }
        #expect(!list.contains("bob@bravo.test"))
    }

    @Test(
        "hostile-input 41: a line that is no local part is named",
        arguments: ["a@bravo.test", "a b", "<a>", "a\\", "a,b"])
    func faults(_ line: String) {
        guard case .failure(let faults) = RecipientList.read(SettingsFile.lines(of: "alice\n\(line)\n")) else {
            Issue.record("it was read")
            return
        }
        #expect(faults.all.map(\.line) == [2])
    }

    // MARK: Call-ahead

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

    // MARK: The cache

    @Test("A full cache forgets what was used longest ago")
    func leastRecentlyUsed() {
        var cache = ExpiringCache<String, Int>(maximumEntries: 2)
        let end = self.start + .seconds(10)
        cache.store(1, of: "one", until: end)
        cache.store(2, of: "two", until: end)
        self.expect(cache.value(of: "one", at: self.start), 1)
        cache.store(3, of: "three", until: end)
        self.expect(cache.value(of: "two", at: self.start), nil)
        self.expect(cache.value(of: "one", at: self.start), 1)
        self.expect(cache.value(of: "three", at: self.start), 3)
        #expect(cache.count == 2)
    }

    @Test("Its memory stays bounded however often it is used, and without room it keeps nothing")
    func bounded() {
        var cache = ExpiringCache<Int, Int>(maximumEntries: 10)
        for number in 0..<10_000 {
            cache.store(number, of: number % 37, until: self.start + .seconds(10))
            _ = cache.value(of: number % 11, at: self.start)
        }
        #expect(cache.count <= 10)
        var none = ExpiringCache<Int, Int>(maximumEntries: 0)
        none.store(1, of: 1, until: self.start + .seconds(10))
        self.expect(none.value(of: 1, at: self.start), nil)
    }
}
