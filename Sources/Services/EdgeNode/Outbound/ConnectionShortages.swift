import Logging
import Synchronization
import Telemetry

/// Tells when deliveries wait because connections have run out: by a metric, and by a line in the log once for each change.
final class ConnectionShortages: Sendable {
    /// So long nobody must wait before it is over.
    private static let relief = Duration.seconds(10)

    private struct State {
        var isShort = false
        /// The last time at which somebody waited.
        var last = ContinuousClock.now
    }

    private enum Change { case began, ended }

    private let metrics: RelayMetrics
    private let logger: Logger
    private let state = Mutex(State())

    init(metrics: RelayMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    /// So many wait now.
    func observed(_ waiting: Int) {
        self.metrics.smtpConnectionsAwaited.set(waiting)
        let change = self.state.withLock { state -> Change? in
            let now = ContinuousClock.now
            if waiting > 0 {
                state.last = now
                return exchange(&state.isShort, with: true) ? nil : .began
            }
            guard state.isShort, now - state.last >= Self.relief else { return nil }
            state.isShort = false
            return .ended
        }
        switch change {
        case .began:
            self.logger.warning(
                "connections to receiving hosts have run out: deliveries to hosts that have not taken mail lately wait longest"
            )
        case .ended: self.logger.notice("connections to receiving hosts suffice again")
        case nil: ()
        }
    }
}
