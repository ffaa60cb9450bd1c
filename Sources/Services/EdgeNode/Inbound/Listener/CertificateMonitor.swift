import Cryptography
import Logging
import MailModel
import OperatingSystem
import QueueStore
import ServiceLifecycle
import ServiceSupport
import Synchronization
import Telemetry

/// Watches the dates of the certificates that are served, for metrics, log and `/readyz`.
final class CertificateMonitor: Service {
    private static let interval = Duration.seconds(15)

    private struct State {
        var certificates: [CertificateDates]
        var watch = CertificateWatch()
    }

    private let state: Mutex<State>
    private let isRequired: Bool
    private let health: HealthRegistry
    private let metrics: InboundMetrics
    private let logger: Logger

    /// - Parameter isRequired: whether the node is not ready without a certificate in its dates.
    init(
        _ certificates: [ServerCertificate], isRequired: Bool, health: HealthRegistry, metrics: InboundMetrics,
        logger: Logger
    ) {
        self.state = Mutex(State(certificates: CertificateDates.of(certificates)))
        self.isRequired = isRequired
        self.health = health
        self.metrics = metrics
        self.logger = logger
    }

    /// Watches these from now on: those of a reload.
    func replace(_ certificates: [ServerCertificate]) {
        self.state.withLock { $0.certificates = CertificateDates.of(certificates) }
        self.look()
    }

    /// Looks at the dates now.
    func look() {
        let (date, now) = (Timestamp.systemNow, MonotonicInstant.now)
        // Under the lock, so that of two looks the later one stands in the end.
        let news = self.state.withLock { state in
            self.metrics.certificateNotAfter.set(
                state.certificates.map { Int($0.notAfter.microseconds / 1_000_000) })
            self.health.set(
                .certificate,
                CertificateWatch.status(of: state.certificates, at: date, isRequired: self.isRequired))
            return state.watch.look(at: state.certificates, date: date, now: now)
        }
        for item in news { self.tell(item) }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.look()
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    private func tell(_ news: CertificateWatch.News) {
        let metadata: Logger.Metadata = [
            LogKey.setting: "tls.certificates[\(news.certificate.slot)]", "subject": "\(news.certificate.subject)",
            "not_before": "\(news.certificate.notBefore)", "not_after": "\(news.certificate.notAfter)",
        ]
        switch news.standing {
        case .valid: ()
        case .endsSoon:
            self.logger.warning(
                "a certificate ends within 14 days: renew it, and send SIGHUP", metadata: metadata)
        case .endsVerySoon:
            self.logger.warning("a certificate ends within 3 days: renew it, and send SIGHUP", metadata: metadata)
        case .expired:
            self.logger.error(
                "a certificate has expired, and is served all the same: renew it, and send SIGHUP", metadata: metadata)
        case .notYetValid:
            self.logger.error(
                "a certificate is not valid yet, and is served all the same: look at its dates and at the clock",
                metadata: metadata)
        }
    }
}
