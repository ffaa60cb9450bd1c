import SMTPProtocol

/// Decides when a client's deadline moves: with what it waits for, with each whole command, and with content that comes
/// fast enough. Single bytes move nothing, so that a client cannot hold a connection by sending one now and then; nor do
/// single chunks of a message (BDAT), which must come at the rate of content.
struct ClientProgress {
    /// What becomes of the deadline.
    enum Deadline: Hashable {
        case unchanged
        case none
        case move(Duration)
    }

    /// Bytes of content a second, on the average over one deadline, that a client must keep up.
    static let leastRate = 500

    private var wait = SMTPTimeouts.ServerWait.nothing
    private var hasStepped = false
    private var contentBytes = 0

    /// The session took a step while it waited for `wait`.
    mutating func stepped(_ step: SMTPServerStep, during wait: SMTPTimeouts.ServerWait) {
        switch step.action {
        case _ where wait == .data: self.contentBytes += step.consumed
        case .needInput, .waitForOwner: ()
        default: self.hasStepped = true
        }
    }

    /// What becomes of the deadline now that the session waits for `wait`, no longer than `limit`.
    mutating func deadline(of wait: SMTPTimeouts.ServerWait, limit: Duration?) -> Deadline {
        let isOther = wait != self.wait
        let mayMove = isOther || self.hasStepped || (wait == .data && self.isFast(limit))
        self.wait = wait
        self.hasStepped = false
        guard mayMove else { return .unchanged }
        self.contentBytes = 0
        return limit.map { .move($0) } ?? .none
    }

    private func isFast(_ limit: Duration?) -> Bool {
        guard let limit else { return false }
        return Int64(self.contentBytes) >= Int64(Self.leastRate) * max(1, limit.components.seconds)
    }
}
