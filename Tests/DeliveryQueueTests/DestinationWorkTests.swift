import MailModel
import Testing

@testable import DeliveryQueue

/// The deliveries to one domain, told as a transcript: entries are letters, cursors are numbers, times are minutes.
@Suite("Destination as a value (DESIGN §4, Actors)")
struct DestinationWorkTests {
    // MARK: Reading and working

    @Test("A page is read, each entry gets a worker of its own, and with nothing left it ends")
    func worksOff() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.claim("a", "b", "c", cursor: 1)
        work.expect(.hire, .hire, .wait)
        work.begin(2)
        #expect(work.take() == "a" && work.take() == "b")
        // One entry waits and there is capacity for more of them: the sweep goes on.
        work.expect(.read(after: 1, count: 4))
        work.claim(cursor: nil)
        work.expect(.wait)
        work.finish("a", .answered)
        #expect(work.take() == "c")
        work.finish("b", .answered)
        work.finish("c", .answered)
        #expect(work.take() == nil && work.take() == nil)
        work.leave(2)
        work.expect(.end)
        #expect(work.change == nil, "a destination that works has no row")
        #expect(!work.wake())
    }

    @Test("No more is read than there is capacity for")
    func bounded() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.claim("a", "b", "c", "d", cursor: 4)
        work.expect(.hire, .hire, .wait)
        work.begin(2)
        #expect(work.take() == "a")
        work.expect(.wait)
        #expect(work.take() == "b" && work.take() == "c")
        work.expect(.read(after: 4, count: 4))
    }

    @Test("Being woken begins a new sweep, once this one is over; what it shows again is left out")
    func woken() {
        let work = DestinationTranscript(workers: 2)
        work.start("a")
        #expect(work.wake())
        work.expect(.read(after: nil, count: 4))
        // It comes once more while the first reading is under way.
        #expect(work.wake())
        work.claim("a", "b", cursor: nil)
        work.expect(.hire, .read(after: nil, count: 4))
        work.claim("a", "b", cursor: nil)
        work.expect(.wait)
        work.begin(1)
        #expect(work.take() == "b" && work.take() == nil)
    }

    @Test("An entry that got its outcome while a reading was under way is not begun again by it, but by a later one")
    func finishedMeanwhile() {
        let work = DestinationTranscript(workers: 2)
        work.start("a")
        #expect(work.wake())
        work.expect(.read(after: nil, count: 4))
        work.finish("a", .answered)
        work.claim("a", cursor: nil)
        #expect(work.take() == nil)
        work.leave(1)
        #expect(work.wake())
        work.expect(.read(after: nil, count: 4))
        work.claim("a", cursor: nil)
        work.expect(.hire)
        work.begin(1)
        #expect(work.take() == "a")
    }

    @Test("A reading that failed ends it: the poll finds it again when the database is back")
    func readingFailed() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.state.claimFailed()
        work.expect(.end)
    }

    @Test("Without a lease nothing is begun; a renewal goes on where it was")
    func leaseRanOut() {
        let work = DestinationTranscript(workers: 1)
        work.expect(.read(after: nil, count: 2))
        work.claim("a", cursor: nil)
        work.expect(.hire)
        work.begin(1)
        work.isHeld = false
        #expect(work.take() == nil)
        work.leave(1)
        work.expect(.waitUntilHeld)
        work.isHeld = true
        work.expect(.hire)
    }

    @Test("Who has nothing left when work may not go on asks again, and ends when it may: no event would wake it")
    func idleWithoutLease() {
        let work = DestinationTranscript(workers: 1)
        work.start("a")
        work.isHeld = false
        work.finish("a", .answered)
        #expect(work.take() == nil)
        work.leave(1)
        work.expect(.waitUntilHeld)
        work.isHeld = true
        work.expect(.end)
    }

    @Test("A stop drops what waits and leaves what is under way; a late page is not begun")
    func stopped() {
        let work = DestinationTranscript(workers: 2)
        work.start("a")
        #expect(work.wake())
        work.expect(.read(after: nil, count: 4))
        work.state.stopped()
        work.claim("b", cursor: 3)
        work.expect(.end)
        #expect(work.take() == nil)
        work.finish("a", .answered)
    }

    // MARK: Pace

    @Test("A site that is full narrows the window to those that have a slot; a while later one more may try")
    func narrowed() {
        let work = DestinationTranscript(workers: 3)
        work.start("a", "b", "c")
        #expect(work.siteWasFull("c"), "the first time a timer is set")
        work.leave(1)
        // Its entry is for the two others.
        work.expect(.wait)
        #expect(!work.siteWasFull("b"), "and then it runs")
        work.leave(1)
        work.expect(.wait)
        work.finish("a", .answered)
        #expect(work.take() == "b")
        #expect(work.widened())
        work.expect(.hire)
        #expect(!work.widened(), "as wide as at first")
    }

    @Test("The last worker never narrows the window to nothing")
    func lastWorker() {
        let work = DestinationTranscript(workers: 1)
        work.start("a")
        #expect(!work.siteWasFull("a"))
        work.leave(1)
        work.expect(.hire)
    }

    @Test("Where our own resolver does not work it rests with the entry in hand, and asks neither database nor anybody")
    func rests() {
        let work = DestinationTranscript(workers: 2)
        work.start("a", "b")
        #expect(work.postponed("a"))
        #expect(!work.postponed("b"), "one timer for both")
        #expect(work.take() == nil && work.take() == nil)
        work.leave(2)
        #expect(work.wake())
        work.expect(.wait)
        work.state.rested()
        work.expect(.hire, .hire)
        work.begin(2)
        #expect(work.take() == "b" && work.take() == "a")
    }

    // MARK: Blocked

    @Test("A failure of the whole destination blocks it: what waits is dropped, and what is under way counts once")
    func blocked() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.claim("a", "b", "c", "d", cursor: 4)
        work.expect(.hire, .hire)
        work.begin(2)
        #expect(work.take() == "a" && work.take() == "b")
        work.attempt("a", .failed(DestinationTranscript.unreachable), at: 10)
        #expect(work.change == .blocked(DestinationTranscript.backoff(failures: 1, since: 10, until: 25)))
        #expect(work.take() == nil, "nothing more is begun")
        work.attempt("b", .failed(DestinationTranscript.unreachable), at: 11)
        #expect(work.change == .blocked(DestinationTranscript.backoff(failures: 1, since: 10, until: 25)))
        work.record()
        work.state.finished("a")
        work.leave(1)
        // The other may yet be answered.
        work.expect(.wait)
        work.state.finished("b")
        work.leave(1)
        work.expect(.settle(DestinationTranscript.backoff(failures: 1, since: 10, until: 25), after: nil))
        work.state.settled(cursor: 7)
        work.expect(.settle(DestinationTranscript.backoff(failures: 1, since: 10, until: 25), after: 7))
        work.state.settled(cursor: nil)
        work.expect(.end)
        #expect(work.change == nil)
    }

    @Test("One that is found blocked gets no attempt")
    func foundBlocked() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.claim(
            "a", cursor: nil, backoff: DestinationTranscript.backoff(failures: 3, since: 0, until: 90), isInForce: true)
        work.expect(.end)
        #expect(work.take() == nil && work.change == nil)
    }

    @Test("After a block one entry goes first; if it fails, the next step begins with that one entry")
    func testDeliveryFails() {
        let work = DestinationTranscript(workers: 3)
        work.expect(.read(after: nil, count: 6))
        work.claim("a", "b", "c", cursor: 3, backoff: DestinationTranscript.backoff(failures: 1, since: 0, until: 15))
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "a")
        work.expect(.wait)
        work.attempt("a", .failed(DestinationTranscript.unreachable), at: 16)
        #expect(work.change == .blocked(DestinationTranscript.backoff(failures: 2, since: 0, until: 31)))
        #expect(work.take() == nil)
    }

    @Test("If the test delivery is answered the window opens, and the row goes")
    func testDeliverySucceeds() {
        let work = DestinationTranscript(workers: 3)
        work.expect(.read(after: nil, count: 6))
        work.claim(
            "a", "b", "c", cursor: nil, backoff: DestinationTranscript.backoff(failures: 4, since: 0, until: 150))
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "a")
        work.attempt("a", .answered, at: 150)
        #expect(work.change == .opened)
        work.expect(.hire, .hire)
        work.record()
        #expect(work.change == nil)
    }

    @Test("A test delivery that shows nothing is followed by another, alone as well")
    func testDeliveryInconclusive() {
        let work = DestinationTranscript(workers: 3)
        work.expect(.read(after: nil, count: 6))
        work.claim("a", "b", "c", cursor: nil, backoff: DestinationTranscript.backoff(failures: 1, since: 0, until: 15))
        work.expect(.hire)
        work.begin(1)
        #expect(work.take() == "a")
        work.finish("a", .inconclusive)
        #expect(work.take() == "b")
        work.expect(.wait)
        #expect(work.postponed("b"))
        work.leave(1)
        work.state.rested()
        work.expect(.hire, .wait)
    }

    @Test(
        "An answer that comes after the failure of another attempt opens it again, and what was dropped is read again")
    func reopened() {
        let work = DestinationTranscript(workers: 3)
        work.start("a", "b", "c")
        work.attempt("a", .failed(DestinationTranscript.unreachable), at: 1)
        work.record()
        work.attempt("b", .answered, at: 2)
        #expect(work.change == .opened)
        // It began before the answer, so it says nothing new.
        work.attempt("c", .failed(DestinationTranscript.unreachable), at: 3)
        #expect(work.change == .opened)
        work.expect(.read(after: nil, count: 6))
    }

    @Test("One failure among many answers blocks nothing")
    func busyHost() {
        let work = DestinationTranscript(workers: 3)
        work.start("a", "b", "c")
        work.finish("a", .answered)
        work.attempt("b", .failed(DestinationTranscript.unreachable), at: 3)
        #expect(work.change == nil)
    }

    @Test("An older row that is read later changes nothing")
    func staleRow() {
        let work = DestinationTranscript(workers: 1)
        work.start("a")
        #expect(work.wake())
        work.expect(.read(after: nil, count: 2))
        work.claim(
            "b", cursor: nil, backoff: DestinationTranscript.backoff(failures: 9, since: 0, until: 99), isInForce: true)
        work.finish("a", .answered)
        #expect(work.take() == "b")
    }

    @Test("A change that was overtaken while it was being recorded is recorded anew")
    func recordedLate() {
        let work = DestinationTranscript(workers: 2)
        work.start("a", "b")
        work.attempt("a", .failed(DestinationTranscript.unreachable), at: 1)
        let blocked = work.change
        work.attempt("b", .answered, at: 2)
        #expect(blocked.map { !work.recorded($0) } == true)
        #expect(work.change == .opened)
    }
}
