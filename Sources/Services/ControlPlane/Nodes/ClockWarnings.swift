import ClusterModel
import Logging
import ServiceSupport
import Synchronization

/// Warns of nodes whose clocks are wrong (control 15): once, until the clock is right again.
final class ClockWarnings: Sendable {
    private let logger: Logger
    /// Enrolled nodes only, and each once.
    private let wrong = Mutex<Set<String>>([])

    init(logger: Logger) { self.logger = logger }

    /// A node has told its clock.
    func saw(_ offset: ClockOffset?, of node: String) {
        guard let offset else { return }
        let isNew = self.wrong.withLock { wrong in
            guard offset.isExcessive else {
                wrong.remove(node)
                return false
            }
            return wrong.insert(node).inserted
        }
        guard isNew else { return }
        self.logger.warning(
            "The clock of a node is wrong, or the controller's is.",
            metadata: [
                LogKey.event: "\(LogEventName.control.rawValue)", LogKey.node: "\(node)",
                LogKey.reason: "its clock is \(offset)",
            ])
    }
}
