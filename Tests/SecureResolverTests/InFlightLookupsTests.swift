import DNSModel
import MailModel
import TestLiterals
import Testing

@testable import SecureResolver

@Suite("Cache and queries under way")
struct InFlightLookupsTests {
    private let now = Timestamp(microseconds: 1_000_000)

    private func question(_ name: String) throws -> DNSQuestion { DNSQuestion(try #require(DomainName(name)), .a) }

    private func inFlight(knowing answers: [DNSQuestion: DNSAnswer]) -> InFlightLookups<Int> {
        var inFlight = InFlightLookups<Int>(
            cache: AnswerCache(maximumEntries: 10, maximumBytes: 1 << 20), maximumLookups: 10)
        for (question, answer) in answers {
            inFlight.renewed(
                question, TimedAnswer(answer: answer, lifetime: .seconds(60)), of: inFlight.knowledge, at: self.now)
        }
        return inFlight
    }

    @Test("What is known is told at once where all of it is known, and counts as asked")
    func known() throws {
        let (a, b, c) = (try self.question("a.test"), try self.question("b.test"), try self.question("c.test"))
        let absent = DNSAnswer.absent(.noData, .secure)
        var inFlight = self.inFlight(knowing: [a: absent, b: absent])
        let hits = inFlight.snapshot.cacheHits
        #expect(inFlight.known([a, b], at: self.now) == [a: absent, b: absent])
        #expect(inFlight.snapshot.cacheHits == hits + 2)
        #expect(inFlight.known([a, c], at: self.now) == nil)
        #expect(inFlight.known([a], at: self.now + .seconds(61)) == nil, "its time is over")
        #expect(inFlight.snapshot.cacheHits == hits + 2)
        _ = inFlight.close()
        #expect(inFlight.known([a], at: self.now) == nil)
    }

    @Test("A failure that is kept is told to whoever asks, who judges whose fault it is")
    func failure() throws {
        let a = try self.question("a.test")
        var inFlight = self.inFlight(knowing: [a: .failed(.timeout)])
        #expect(inFlight.known([a], at: self.now) == nil)
    }
}
