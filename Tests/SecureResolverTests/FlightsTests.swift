import DNSModel
import MailModel
import Testing

@testable import SecureResolver

@Suite("Cache and queries under way")
struct FlightsTests {
    private let now = Timestamp(microseconds: 1_000_000)

    private func question(_ name: String) throws -> DNSQuestion { DNSQuestion(try #require(DomainName(name)), .a) }

    private func flights(knowing answers: [DNSQuestion: DNSAnswer]) -> Flights<Int> {
        var flights = Flights<Int>(cache: AnswerCache(maximumEntries: 10, maximumBytes: 1 << 20), maximumFlights: 10)
        for (question, answer) in answers {
            flights.renewed(
                question, TimedAnswer(answer: answer, lifetime: .seconds(60)), of: flights.knowledge, at: self.now)
        }
        return flights
    }

    @Test("What is known is told at once where all of it is known, and counts as asked")
    func known() throws {
        let (a, b, c) = (try self.question("a.test"), try self.question("b.test"), try self.question("c.test"))
        let absent = DNSAnswer.absent(.noData, .secure)
        var flights = self.flights(knowing: [a: absent, b: absent])
        let hits = flights.snapshot.cacheHits
        #expect(flights.known([a, b], at: self.now) == [a: absent, b: absent])
        #expect(flights.snapshot.cacheHits == hits + 2)
        #expect(flights.known([a, c], at: self.now) == nil)
        #expect(flights.known([a], at: self.now + .seconds(61)) == nil, "its time is over")
        #expect(flights.snapshot.cacheHits == hits + 2)
        _ = flights.close()
        #expect(flights.known([a], at: self.now) == nil)
    }

    @Test("A failure that is kept is told to whoever asks, who judges whose fault it is")
    func failure() throws {
        let a = try self.question("a.test")
        var flights = self.flights(knowing: [a: .failed(.timeout)])
        #expect(flights.known([a], at: self.now) == nil)
    }
}
