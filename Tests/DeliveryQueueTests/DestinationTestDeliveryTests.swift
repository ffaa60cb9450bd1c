import MailModel
import Testing

@testable import DeliveryQueue

/// Closed sessions, and deliveries that find out whether a destination works.
@Suite("Closed sessions and test deliveries")
struct DestinationTestDeliveryTests {
    @Test("A session closed upon one sender's message keeps nobody else's mail (field B2)")
    func closedUponOneSender() {
        let work = DestinationTranscript(workers: 1)
        work.start("a")
        for minute in 0..<20 { work.closed("a", upon: "alice@alpha.test", at: Int64(minute)) }
        #expect(work.change == nil)
        work.closed("a", upon: "carol@alpha.test", at: 21)
        #expect(work.change == nil, "two senders are not many")
    }

    @Test("Closed upon three senders' messages, with nobody answered in between, the destination has failed (field B2)")
    func closedUponMany() {
        let work = DestinationTranscript(workers: 1)
        work.start("a")
        work.closed("a", upon: "alice@alpha.test", at: 1)
        work.closed("a", upon: "carol@alpha.test", at: 2)
        work.attempt("a", .answered, at: 3)
        work.start(again: "a")
        work.closed("a", upon: "dave@alpha.test", at: 4)
        #expect(work.change == nil, "an answer shows that it works")
        work.closed("a", upon: "alice@alpha.test", at: 5)
        work.closed("a", upon: "", at: 6)
        #expect(work.change == .blocked(DestinationTranscript.backoff(failures: 1, since: 6, until: 21)))
    }

    @Test("Closed upon a hundred messages of one sender it has failed as well: each costs a connection (field B2)")
    func closedUponManyMessages() {
        let work = DestinationTranscript(workers: 1)
        work.start("a")
        for minute in 1..<Int64(SessionClosings.messages) { work.closed("a", upon: "", at: minute) }
        #expect(work.change == nil)
        work.closed("a", upon: "", at: 100)
        #expect(work.change == .blocked(DestinationTranscript.backoff(failures: 1, since: 100, until: 115)))
    }

    @Test("A test delivery upon which the session is closed is followed by the next message (field B2)")
    func closedUponTestDelivery() {
        let work = DestinationTranscript(workers: 3)
        work.expect(.read(after: nil, count: 6))
        work.claim("a", "b", cursor: nil, backoff: DestinationTranscript.backoff(failures: 1, since: 0, until: 15))
        work.expect(.hire)
        work.begin(1)
        #expect(work.take() == "a")
        work.finish("a", .closed(DestinationTranscript.unreachable, sender: ""))
        #expect(work.take() == "b")
        work.finish("b", .answered)
        #expect(work.change == .opened)
    }

    @Test("A test before its time that fails takes no step of the schedule (field B3)")
    func earlyTestFails() {
        let work = DestinationTranscript(workers: 3, testsEarly: true)
        work.expect(.read(after: nil, count: 6))
        let row = DestinationTranscript.backoff(failures: 3, since: 0, until: 90)
        work.claim("a", "b", cursor: nil, backoff: row, isInForce: true)
        #expect(work.state.isTestingEarly)
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "a")
        work.attempt("a", .failed(DestinationTranscript.unreachable), at: 40)
        #expect(work.change == .blocked(row))
        #expect(work.take() == nil)
    }

    @Test("A test before its time that is answered opens the destination (field B3)")
    func earlyTestSucceeds() {
        let work = DestinationTranscript(workers: 3, testsEarly: true)
        work.expect(.read(after: nil, count: 6))
        work.claim(
            "a", "b", cursor: nil, backoff: DestinationTranscript.backoff(failures: 3, since: 0, until: 90),
            isInForce: true)
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "a")
        work.finish("a", .answered)
        #expect(work.change == .opened)
        #expect(work.take() == "b")
    }

    @Test(
        "A test before its time that shows nothing is not followed by another (field B3)",
        arguments: [DestinationFinding.inconclusive, .closed(DestinationTranscript.unreachable, sender: ""), nil])
    func earlyTestInconclusive(_ finding: DestinationFinding?) {
        let work = DestinationTranscript(workers: 3, testsEarly: true)
        work.expect(.read(after: nil, count: 6))
        work.claim(
            "a", "b", cursor: nil, backoff: DestinationTranscript.backoff(failures: 3, since: 0, until: 90),
            isInForce: true)
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "a")
        if let finding { work.finish("a", finding) } else { work.state.finished("a") }
        #expect(work.take() == nil && work.change == nil)
        work.leave(1)
        work.expect(.end)
        #expect(work.state.blockedUntil == Timestamp(seconds: 90 * 60))
    }
}
