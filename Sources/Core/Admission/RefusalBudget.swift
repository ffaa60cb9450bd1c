package import MailModel

/// How many refusals are logged one by one; those beyond are counted.
///
/// A client is remembered only with a line of its own, so there are no more of them than lines.
package struct RefusalBudget {
    /// Lines for one client in a window.
    package static let linesPerClient = 10
    /// Lines for all clients in a window.
    package static let lines = 600
    /// The time after which all begins anew.
    package static let window = Duration.seconds(60)

    private var begun: MonotonicInstant?
    private var told: [IPAddress: Int] = [:]
    private var toldInAll = 0
    private var untold = 0

    /// What to do about one refusal.
    package struct Decision: Hashable {
        /// It has a line of its own.
        package var isTold: Bool
        /// Refusals of the windows before that had no line, when this is the first refusal since: they are told now.
        package var untoldBefore = 0
    }

    /// Nothing has been told yet.
    package init() {}

    /// Takes note of a refusal of a client, `now`.
    package mutating func refused(_ client: IPAddress, at now: MonotonicInstant) -> Decision {
        var decision = Decision(isTold: false)
        if now - (self.begun ?? now - Self.window) >= Self.window {
            decision.untoldBefore = self.untold
            self = RefusalBudget()
            self.begun = now
        }
        let ofClient = self.told[client] ?? 0
        guard ofClient < Self.linesPerClient, self.toldInAll < Self.lines else {
            self.untold += 1
            return decision
        }
        self.told[client] = ofClient + 1
        self.toldInAll += 1
        decision.isTold = true
        return decision
    }
}
