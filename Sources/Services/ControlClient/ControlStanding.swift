package import MailModel

/// How a node stands to its controller; for `/readyz` and the log.
package struct ControlStanding: Hashable, Sendable {
    /// The node follows the controller's stream.
    package var isConnected = false
    /// The state that the node serves by; `nil` for none.
    package var version: UInt64?
    /// When the controller last said so.
    package var confirmedAt: Timestamp?
    /// What keeps the node from following the controller, or from the controller's latest state; in words.
    package var problem: String?

    package init() {}

    /// What it says of the node: `nil` is well; without any state the node takes no mail.
    package var fault: String? {
        guard let version else { return "has no state yet: \(self.problem ?? "waits for the controller")" }
        let served = "serves state \(version)\(self.confirmedAt.map { " of \($0)" } ?? "")"
        if let problem { return "\(problem); \(served)" }
        return self.isConnected ? nil : "does not follow the controller; \(served)"
    }
}
