package import Logging
package import MailModel
package import NodeState
import OperatingSystem
import QueueStore
import ServiceLifecycle
package import ServiceSupport
import Synchronization
package import Telemetry

/// Watches the dates of the certificates that are served, for metrics, log and `/readyz`.
package final class CertificateMonitor: Service {
    private static let interval = Duration.seconds(15)

    private let state: Replaceable<NodeState>
    private let watch = Mutex(CertificateWatch())
    private let health: HealthRegistry
    private let metrics: InboundMetrics
    private let time: any NodeClock
    private let logger: Logger

    package init(
        _ state: Replaceable<NodeState>, health: HealthRegistry, metrics: InboundMetrics, time: any NodeClock,
        logger: Logger
    ) {
        self.state = state
        self.time = time
        self.health = health
        self.metrics = metrics
        self.logger = logger
    }

    /// Looks at the dates now: the state has been replaced, or time has passed.
    package func look() {
        let (date, now) = (self.time.date, self.time.now)
        // Under the lock, so that of two looks the later one stands in the end.
        let news = self.watch.withLock { watch in
            let state = self.state.current
            let certificates = CertificateDates.of(state.certificates)
            self.metrics.certificateNotAfter.set(certificates.map { Int($0.notAfter.microseconds / 1_000_000) })
            self.health.set(
                .certificate,
                CertificateWatch.status(of: certificates, at: date, isRequired: state.requiresCertificate))
            return watch.look(at: certificates, date: date, now: now)
        }
        for item in news { self.tell(item) }
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.look()
                try? await self.time.sleep(for: Self.interval)
            }
        }
    }

    private func tell(_ news: CertificateWatch.News) {
        let metadata: Logger.Metadata = [
            LogKey.setting: "\(news.certificate.name)", "subject": "\(news.certificate.subject)",
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
