import Testing

@testable import DeliveryQueue

/// Mail without a sender, whose letters are called `null`, and other mail to one domain.
@Suite("Mail without a sender as a destination has it")
struct DestinationShareTests {
    private static let backoff = DestinationTranscript.backoff(failures: 1, since: 0, until: 15)

    @Test("It is taken when no other waits (field A3)")
    func lowestPriority() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.claim("null", "a", "b", cursor: nil)
        work.expect(.hire, .hire)
        work.begin(2)
        #expect(work.take() == "a" && work.take() == "b" && work.take() == "null")
    }

    @Test("Where its share is taken, pages full of it keep no other mail from being read (field A3)")
    func readsOn() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.claim("null1", "null2", "null3", "null4", cursor: 4)
        work.expect(.hire, .hire, .wait)
        work.begin(2)
        #expect(work.take() == "null1" && work.take() == "null2")
        work.state.shareWasTaken("null1")
        work.state.shareWasTaken("null2")
        #expect(work.take() == nil && work.take() == nil)
        work.leave(2)
        work.expect(.read(after: 4, count: 4))
        work.claim("null5", "null6", "null7", "null8", cursor: 8)
        work.expect(.read(after: 8, count: 4))
        work.claim("null9", "a", cursor: nil)
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "a" && work.take() == nil)
    }

    @Test("With nothing else it ends, and neither rests nor looks again by itself (field A3)")
    func ends() {
        let work = DestinationTranscript(workers: 2)
        work.start("null1")
        work.state.shareWasTaken("null1")
        work.leave(1)
        work.expect(.end)
        #expect(work.state.isShareTaken)
    }

    @Test("A part of the share that it gives back is a reason to look again, once the sweep is over")
    func freed() {
        let work = DestinationTranscript(workers: 2)
        work.start("null1", "null2")
        work.state.shareWasTaken("null2")
        work.leave(1)
        work.expect(.wait)
        work.state.shareWasFreed()
        work.finish("null1", .answered)
        work.leave(1)
        work.expect(.read(after: nil, count: 4))
        work.claim("null2", cursor: nil)
        work.expect(.hire)
        work.begin(1)
        #expect(work.take() == "null2")
        work.state.shareWasFreed()
        work.finish("null2", .answered)
        work.leave(1)
        work.expect(.end)
    }

    @Test("It is no test delivery while a later page has other mail (field A3)")
    func testDelivery() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.claim("null1", "null2", "null3", "null4", cursor: 4, backoff: Self.backoff)
        work.expect(.read(after: 4, count: 4))
        work.claim("null5", "a", "b", cursor: 8)
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "a")
        work.finish("a", .inconclusive)
        #expect(work.take() == "b")
        work.finish("b", .inconclusive)
        #expect(work.take() == nil, "more may be behind the cursor")
        work.leave(1)
        work.expect(.read(after: 8, count: 4))
        work.claim(cursor: nil)
        work.expect(.hire)
        work.begin(1)
        #expect(work.take() == "null1", "there is no other mail")
        work.finish("null1", .answered)
        // The window is open again.
        work.expect(.hire, .wait)
    }

    @Test("Where it is all there is, the test delivery is such mail, and no more of it is kept than two pages")
    func testDeliveryOfNullSender() {
        let work = DestinationTranscript(workers: 1)
        work.expect(.read(after: nil, count: 2))
        work.claim("null1", "null2", cursor: 2, backoff: Self.backoff)
        work.expect(.read(after: 2, count: 2))
        work.claim("null3", "null4", cursor: 4)
        work.expect(.read(after: 4, count: 2))
        work.claim("null5", "null6", cursor: nil)
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "null1")
        work.expect(.wait)
        work.finish("null1", .answered)
        for letter: Letter in ["null2", "null3", "null4"] {
            #expect(work.take() == letter)
            work.finish(letter, .answered)
        }
        #expect(work.take() == nil)
        work.leave(1)
        work.expect(.read(after: nil, count: 2))
        work.claim("null5", "null6", cursor: nil)
        work.expect(.hire)
    }
}
