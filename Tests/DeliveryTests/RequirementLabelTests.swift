import DANE
import MailModel
import Routing
import Telemetry
import TestLiterals
import Testing
import TransportSecurity

@testable import Delivery

/// What traces and metrics say of what was owed.
@Suite("Labels of owed TLS")
struct RequirementLabelTests {
    @Test("The trace says what was owed, whoever demanded it, and that an exception waived it")
    func labels() {
        let plain = PlannedHost(name: "mx.a.test", addresses: [.loopback], requirement: .opportunistic)
        let verify = TransportPolicy.verify(CertificateVerification(name: "mx.a.test", authorities: .system))
        let policies: [TransportPolicy] = [.opportunistic, .encrypt, .dane, verify, .excepted]
        #expect(
            policies.map(plain.requirementLabel(by:)) == [
                "opportunistic", "encrypt", "dane", "verify mx.a.test", "opportunistic (exception)",
            ])
        #expect(
            HostAttempt(host: plain, failure: HostFailure(.startTLSNotSupported)).isCountedForDANE == false
                && HostAttempt(host: plain, policy: .dane, failure: HostFailure(.dnssecInvalid)).isCountedForDANE)
    }
}

extension HostAttempt {
    fileprivate var isCountedForDANE: Bool { DANEVerificationResult(self) != nil }
}
