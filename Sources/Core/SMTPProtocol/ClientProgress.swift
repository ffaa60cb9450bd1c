/// Decides when a client's deadline moves: with what it waits for, with each whole command, and with content that comes
/// fast enough. Single bytes move nothing, so that a client cannot hold a connection by sending one now and then. Nor
/// do single chunks of a message (BDAT), which must come at the rate of content.
package struct ClientProgress {
    /// What becomes of the deadline.
    package enum Deadline: Hashable {
        case unchanged
        case none
        case move(Duration)
    }

    private let leastRate: Int
    private var wait = SMTPTimeouts.ServerWait.nothing
    private var hasStepped = false
    private var contentBytes = 0

    /// - Parameter leastRate: bytes of content a second that move the deadline.
    package init(leastRate: Int) { self.leastRate = leastRate }

    /// The session took a step while it waited for `wait`.
    package mutating func stepped(_ step: SMTPServerStep, during wait: SMTPTimeouts.ServerWait) {
        switch step.action {
        case _ where wait == .data: self.contentBytes += step.consumed
        case .needInput, .waitForOwner: ()
        default: self.hasStepped = true
        }
    }

    /// What becomes of the deadline now that the session waits for `wait`, no longer than `limit`.
    package mutating func deadline(of wait: SMTPTimeouts.ServerWait, limit: Duration?) -> Deadline {
        // While a chunk is stored the client's time goes on: else one chunk in a long while would do.
        if wait == .owner, self.wait == .data { return .unchanged }
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
        return Int64(self.contentBytes) >= Int64(self.leastRate) * max(1, limit.components.seconds)
    }
}
