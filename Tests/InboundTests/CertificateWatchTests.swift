import Admission
import Cryptography
import LabDatabase
import LabPeers
import LabSupport
import Logging
import MailModel
import NodeState
import OperatingSystem
import ServiceSupport
import TestLiterals
import Testing

@testable import Inbound
@testable import Telemetry

@Suite("Dates of certificates")
struct CertificateWatchTests {
    private static let end = Timestamp(seconds: 2_000_000_000)
    private static let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    private let certificate = CertificateDates(
        slot: 0, subject: "CN=mx.example", notBefore: end + .seconds(-90 * 86_400), notAfter: end)

    private func days(_ count: Double) -> Duration { .seconds(count * 86_400) }

    @Test(
        "A certificate is told of 14 and 3 days before its end, at its end, and before it begins",
        arguments: [
            (-91, .notYetValid), (-90, .valid), (-14.1, .valid), (-14, .endsSoon), (-3.1, .endsSoon),
            (-3, .endsVerySoon), (0, .endsVerySoon), (0.1, .expired),
        ] as [(Double, CertificateStanding)])
    func standing(_ days: Double, _ standing: CertificateStanding) {
        #expect(self.certificate.standing(at: Self.end + self.days(days)) == standing)
    }

    @Test("Each change is told once, and what stays again each day")
    func news() {
        var watch = CertificateWatch()
        /// What is told after so many days, beginning 20 days before the end.
        func told(_ passed: Double) -> [CertificateStanding] {
            watch.look(
                at: [self.certificate], date: Self.end + self.days(passed - 20), now: Self.start + self.days(passed)
            ).map(\.standing)
        }
        #expect(told(5) == [])
        #expect(told(6) == [.endsSoon])
        #expect(told(6.9) == [])
        #expect(told(7) == [.endsSoon])
        #expect(told(17) == [.endsVerySoon])
        #expect(told(17.5) == [])
        #expect(told(20.1) == [.expired])
        #expect(told(20.2) == [])
        #expect(told(21.1) == [.expired])
    }

    @Test("A renewed certificate is told of anew, and the former one is forgotten")
    func renewed() {
        var watch = CertificateWatch()
        let now = Self.end + self.days(-1)
        #expect(watch.look(at: [self.certificate], date: now, now: Self.start).count == 1)
        let next = CertificateDates(
            slot: 0, subject: "CN=mx.example", notBefore: self.certificate.notBefore,
            notAfter: Self.end + self.days(90))
        #expect(watch.look(at: [next], date: now, now: Self.start + .seconds(1)) == [])
        #expect(watch.look(at: [self.certificate], date: now, now: Self.start + .seconds(2)).count == 1)
    }

    @Test("The check fails without a certificate in its dates; tls.required decides whether the node is ready")
    func check() {
        let good = Self.end + self.days(-1)
        let late = Self.end + .seconds(1)
        func status(
            _ certificates: [CertificateDates], _ date: Timestamp, isRequired: Bool = true
        ) -> HealthRegistry.Status {
            CertificateWatch.status(of: certificates, at: date, isRequired: isRequired)
        }
        #expect(status([self.certificate], good) == .passing)
        let expired = "tls.certificates[0] (CN=mx.example) expired at \(Self.end)"
        #expect(status([self.certificate], late) == .failing(expired))
        #expect(status([self.certificate], late, isRequired: false) == .degraded(expired))
        let early = self.certificate.notBefore + .seconds(-1)
        #expect(
            status([self.certificate], early)
                == .failing("tls.certificates[0] (CN=mx.example) is not valid before \(self.certificate.notBefore)"))
        guard case .failing(let reason) = status([], good) else {
            Issue.record("a node without a certificate is ready")
            return
        }
        #expect(reason.contains("tls.required: false"))
        #expect(status([], good, isRequired: false) == .passing)
    }

    @Test("The monitor tells of what the state has now: of slots that come, and of none that have gone")
    func monitor() throws {
        let (health, metrics) = (HealthRegistry(), testMetrics())
        let leaves = try ["a.test", "b.test"].map { try TestPKI().leaf($0).serverCertificate() }
        let policy = InboundPolicy(domains: [:], relayNetworks: [])
        let state = Replaceable(NodeState(policy))
        let monitor = CertificateMonitor(
            state, health: health, metrics: metrics, time: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for certificates in [[], leaves, [leaves[1]], []] {
            state.replace(
                with: NodeState(
                    policy, certificates: certificates.isEmpty ? nil : try ServedCertificates(certificates)))
            monitor.look()
            #expect(
                metrics.certificateNotAfter.series
                    == certificates.map { Int($0.chain[0].value.notAfter.microseconds / 1_000_000) })
            #expect(health.isPassing(.certificate) == !certificates.isEmpty)
        }
        var waived = NodeState(policy)
        waived.requiresCertificate = false
        state.replace(with: waived)
        monitor.look()
        #expect(health.isPassing(.certificate))
    }
}
