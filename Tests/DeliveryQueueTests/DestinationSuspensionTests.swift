import MailModel
import Testing

@testable import DeliveryQueue

/// What the deliveries to one domain do while an operator has suspended them.
@Suite("A suspended destination as a value")
struct DestinationSuspensionTests {
    private static let suspension = DestinationTranscript.backoff(failures: 1, since: 0, until: 60)

    @Test("Before anything is read nothing is begun: what is overdue gets its outcome, and it ends")
    func fromTheStart() {
        let work = DestinationTranscript(workers: 2)
        work.state.suspended(Self.suspension)
        work.expect(.settle(Self.suspension, after: nil))
        work.state.settled(cursor: 7)
        work.expect(.settle(Self.suspension, after: 7))
        work.state.settled(cursor: nil)
        work.expect(.end)
        #expect(work.change == nil, "nobody has failed")
    }

    @Test("What is under way is finished first; what was read and not begun is left")
    func underWay() {
        let work = DestinationTranscript(workers: 1)
        work.start("a")
        work.claim("b", cursor: nil)
        work.state.suspended(Self.suspension)
        #expect(work.take() == nil)
        work.expect(.wait)
        work.finish("a", .answered)
        #expect(work.take() == nil)
        work.leave(1)
        work.expect(.settle(Self.suspension, after: nil))
    }

    @Test("A page that was asked for before is not begun")
    func latePage() {
        let work = DestinationTranscript(workers: 2)
        work.expect(.read(after: nil, count: 4))
        work.state.suspended(Self.suspension)
        work.claim("a", cursor: nil)
        #expect(work.take() == nil)
        work.expect(.settle(Self.suspension, after: nil))
    }

    @Test("When deliveries go on, all that is due is read anew")
    func resumed() {
        let work = DestinationTranscript(workers: 2)
        work.start("a")
        work.state.suspended(Self.suspension)
        work.expect(.wait)
        work.state.resumed()
        work.expect(.read(after: nil, count: 4))
        work.claim("a", "b", cursor: nil)
        work.expect(.hire, .wait)
        work.begin(1)
        #expect(work.take() == "b", "what is under way is not begun again")
    }

    @Test("A destination that failed meanwhile is blocked when deliveries go on")
    func blockedMeanwhile() {
        let work = DestinationTranscript(workers: 1)
        work.start("a")
        work.state.suspended(Self.suspension)
        work.finish("a", .failed(DestinationTranscript.unreachable))
        work.leave(1)
        work.expect(.settle(Self.suspension, after: nil))
        work.state.settled(cursor: nil)
        work.state.resumed()
        guard case .settle(let backoff, nil) = work.state.next(isHeld: true) else {
            Issue.record("it is not blocked")
            return
        }
        #expect(backoff.failure == DestinationTranscript.unreachable && backoff != Self.suspension)
    }
}
