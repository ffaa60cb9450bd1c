import MailModel
import Testing

@testable import DeliveryQueue

/// The deliveries to one destination, and words for what happens to them.
final class DestinationTranscript {
    static let unreachable = DeliveryFailure(
        failureClass: .general, status: EnhancedStatusCode(.persistentTransientFailure, 4, 1),
        reason: .connectionRefused, text: "refused")

    var state: DestinationWork<Letter, Int>
    var isHeld = true

    init(workers: Int, testsEarly: Bool = false, closings: SessionClosings = SessionClosings()) {
        self.state = DestinationWork(
            schedule: .standard, maximumWorkers: workers, testsEarly: testsEarly, closings: closings)
    }

    static func backoff(failures: Int, since: Int64, until: Int64) -> DestinationBackoff {
        DestinationBackoff(
            failure: self.unreachable, failures: failures, since: Timestamp(seconds: since * 60),
            until: Timestamp(seconds: until * 60))
    }

    var change: DestinationChange? { self.state.unrecorded }

    func expect(
        _ steps: DestinationWork<Letter, Int>.Step..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for step in steps {
            let next = self.state.next(isHeld: self.isHeld)
            #expect(next == step, sourceLocation: sourceLocation)
        }
    }

    func claim(
        _ letters: Letter..., cursor: Int?, backoff: DestinationBackoff? = nil, isInForce: Bool = false
    ) { self.state.claimed(letters, cursor: cursor, backoff: backoff, isInForce: isInForce) }

    func begin(_ count: Int) { for _ in 0..<count { self.state.workerBegan() } }
    func leave(_ count: Int) { for _ in 0..<count { self.state.workerLeft() } }
    func take() -> Letter? { self.state.take(isHeld: self.isHeld) }
    func wake() -> Bool { self.state.woken() }
    func siteWasFull(_ letter: Letter) -> Bool { self.state.siteWasFull(letter) }
    func postponed(_ letter: Letter) -> Bool { self.state.postponed(letter) }
    func widened() -> Bool { self.state.widened() }

    /// These were read, are all there is, and are under way.
    func start(_ letters: Letter...) {
        _ = self.state.next(isHeld: true)
        self.state.claimed(letters, cursor: nil, backoff: nil, isInForce: false)
        while case .hire = self.state.next(isHeld: true) {}
        self.begin(letters.count)
        for letter in letters { #expect(self.take() == letter) }
    }

    func attempt(_ letter: Letter, _ finding: DestinationFinding, at minute: Int64) {
        self.state.attempted(
            letter.id, finding, arrival: Timestamp(seconds: 0), now: Timestamp(seconds: minute * 60))
    }

    /// The next attempt at a message that is under way begins.
    func start(again letter: Letter) {
        self.state.finished(letter.id)
        #expect(self.wake())
        _ = self.state.next(isHeld: true)
        self.state.claimed([letter], cursor: nil, backoff: nil, isInForce: false)
        while case .hire = self.state.next(isHeld: true) {}
        #expect(self.take() == letter)
    }

    /// The session was closed upon a message, which is due again at once.
    func closed(_ letter: Letter, upon sender: String, at minute: Int64) {
        self.attempt(letter, .closed(Self.unreachable, sender: sender), at: minute)
        guard self.change == nil else { return }
        self.start(again: letter)
    }

    func finish(_ letter: Letter, _ finding: DestinationFinding) {
        self.attempt(letter, finding, at: 0)
        self.state.finished(letter.id)
    }

    func record() { if let change = self.change { #expect(self.recorded(change) && !self.recorded(change)) } }
    func recorded(_ change: DestinationChange) -> Bool { self.state.recorded(change) }
}

/// One whose name begins with "null" comes last.
struct Letter: ClaimableEntry, ExpressibleByStringLiteral {
    let id: String
    var comesLast: Bool { self.id.hasPrefix("null") }
    init(stringLiteral text: String) { self.id = text }
}
