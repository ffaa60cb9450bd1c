import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

/// What one attempt came to; `AttemptReport`.
struct SimulatedReport {
    let outcomes: [AttemptOutcome]
    /// A host answered for some recipient.
    var isAnswered = false
    /// The failure has nothing to do with the message.
    var isOfDestination = false
    /// The host closed the session when it heard of the message.
    var isClosing = false
    /// The final dot was not written, for the lease.
    var isWithdrawn = false

    func finding(sender: String) -> DestinationFinding {
        guard !self.isAnswered, case .failed(let failure)? = self.outcomes.first else { return .answered }
        if failure.isPermanent { return .answered }
        if self.isClosing { return .closed(failure, sender: sender) }
        return self.isOfDestination ? .failed(failure) : .inconclusive
    }
}

extension SimulatedReport {
    /// The same failure for everybody.
    init(_ failure: DeliveryFailure, for entry: QueueEntry, isOfDestination: Bool = false) {
        self.init(
            outcomes: entry.recipients.map { _ in .failed(failure) }, isOfDestination: isOfDestination)
    }

    /// An attempt that an earlier owner began and nobody concluded.
    init(interrupted entry: QueueEntry) { self.init(.lost("interrupted"), for: entry) }

    /// One that was broken off for our own lease.
    init(withdrawn entry: QueueEntry) {
        self.init(.lost("lease"), for: entry)
        self.isWithdrawn = true
    }
}

extension DeliveryFailure {
    fileprivate static func lost(_ text: String) -> DeliveryFailure {
        DeliveryFailure(
            failureClass: .general, status: EnhancedStatusCode(.persistentTransientFailure, 4, 2),
            reason: .connectionLost, text: text)
    }
}

/// `DeliveryAttempt` and `MessageTransfer`: one attempt at one entry.
final class SimulatedAttempt {
    /// `AttemptEnd`.
    enum End {
        case made(SimulatedReport)
        case void
        case postponed
    }

    private unowned let node: SimulatedNode
    private let entry: QueueEntry
    private let term: ShardTerm
    private let peer: SimulatedPeer
    private let then: (End) -> Void
    private let name: AttemptName
    private var isOnRecord: Bool?
    private var answers: [DeliveryFailure?]?
    private var closing: DeliveryFailure?

    init(node: SimulatedNode, entry: QueueEntry, term: ShardTerm, _ then: @escaping (End) -> Void) {
        guard let peer = node.surroundings.peers[entry.key.domain] else {
            preconditionFailure("every domain has a peer")
        }
        self.node = node
        self.entry = entry
        self.term = term
        self.peer = peer
        self.then = then
        self.name = AttemptName(of: entry, epoch: term.epoch, by: node.client)
    }

    private var world: World { self.node.world }
    private var unit: Duration { self.node.unit }

    /// Look-ups, then a connection.
    func begin() {
        self.node.after(self.world.duration(self.unit / 100...self.unit / 2)) {
            if self.peer.mood == .noResolver { return self.then(.postponed) }
            // Before each host it is asked whether we may go on.
            guard self.node.leases.isHeld(self.term) else { return self.then(.void) }
            if let failure = self.peer.unreachable {
                return self.then(.made(SimulatedReport(failure, for: self.entry, isOfDestination: true)))
            }
            self.begin(envelope: self.entry.recipients.map(\.address))
        }
    }

    // MARK: - MessageTransfer

    /// The database is asked while the peer reads the envelope.
    private func begin(envelope: [String]) {
        self.node.ledger.open(self.entry, epoch: self.term.epoch) { isOpened in
            self.isOnRecord = isOpened
            self.goOn()
        }
        self.node.after(self.world.duration(self.unit / 100...self.unit / 2)) {
            if let failure = self.peer.closing(upon: self.entry.sender) { return self.closed(failure) }
            self.answers = self.peer.answers(to: envelope)
            self.goOn()
        }
    }

    /// The session ended at MAIL. Like an answer it counts once the attempt is on record.
    private func closed(_ failure: DeliveryFailure) {
        self.closing = failure
        self.goOn()
    }

    private func goOn() {
        guard let isOnRecord else { return }
        if let closing {
            guard isOnRecord else { return self.then(.void) }
            var report = SimulatedReport(closing, for: self.entry)
            report.isClosing = true
            return self.then(.made(report))
        }
        guard let answers else { return }
        guard isOnRecord || self.node.surroundings.broken == .unrecordedFinalDot else { return self.then(.void) }
        guard answers.contains(where: { $0 == nil }) else { return self.answered(answers) }
        // The content takes its time.
        self.node.after(self.world.duration(self.unit / 100...self.unit * 2)) { self.finish(answers) }
    }

    /// Checked in the same turn of the event loop as the dot is written.
    private func finish(_ answers: [DeliveryFailure?]) {
        guard self.node.permitsFinalDot(self.term) else {
            self.node.witness.dotForbidden()
            self.world.note("\(self.node.client) may not finish \(self.entry.label)")
            return self.then(.made(SimulatedReport(withdrawn: self.entry)))
        }
        self.node.witness.dotPermitted(self.name)
        // The process may be stopped between the check and the write.
        if self.node.scenario.faults.contains(.pause), self.world.chance(3) {
            self.node.pause()
            self.world.after(self.world.duration(self.unit...self.unit * 30)) { self.node.resume() }
        }
        self.node.after(.zero) { self.writeDot(answers) }
    }

    private func writeDot(_ answers: [DeliveryFailure?]) {
        self.node.witness.dotWritten(self.name)
        // From here on the peer has it, whatever becomes of the node.
        self.world.after(self.world.duration(self.unit / 100...self.unit / 2)) {
            let taken = zip(self.entry.recipients, answers).filter { $1 == nil }.map(\.0.address)
            switch self.peer.answerToDot() {
            case .taken(let wait):
                self.node.witness.copyTaken(by: self.name, for: taken)
                self.node.after(wait) {
                    self.answered(answers)
                }
            case .lost(let wait):
                self.node.witness.copyTaken(by: self.name, for: taken)
                self.node.witness.replyLost(self.name)
                self.node.after(wait) {
                    self.then(.made(self.report(answers, for: .lost("no reply to the final dot"))))
                }
            case .refused(let failure, let wait):
                self.node.after(wait) { self.then(.made(self.report(answers, for: failure, isAnswered: true))) }
            }
        }
    }

    /// What those hear whose answer was not no: the message was taken.
    private func answered(_ answers: [DeliveryFailure?]) {
        let outcomes = answers.map { failure -> AttemptOutcome in
            failure.map { .failed($0) } ?? .delivered(self.peer.acceptance)
        }
        self.then(.made(SimulatedReport(outcomes: outcomes, isAnswered: true)))
    }

    /// What those hear whose answer was not no: the message as a whole failed.
    private func report(
        _ answers: [DeliveryFailure?], for failure: DeliveryFailure, isAnswered: Bool = false
    ) -> SimulatedReport {
        SimulatedReport(
            outcomes: answers.map { .failed($0 ?? failure) },
            isAnswered: isAnswered || answers.contains { $0 != nil })
    }
}
