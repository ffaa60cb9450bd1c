import MailModel
import Testing

/// dane-rules 2, 10, 12, 24 and 34, and the names and codes that operators know.
@Suite("Failures")
struct FailureReasonTests {
    @Test(
        "The names and codes are those of Exchange Online",
        arguments: [
            (FailureReason.startTLSNotSupported, "starttls-not-supported", "4.7.321", "5.7.321"),
            (.certificateExpired, "certificate-expired", "4.7.322", "5.7.322"),
            (.tlsaInvalid, "tlsa-invalid", "4.7.323", "5.7.323"),
            (.dnssecInvalid, "dnssec-invalid", "4.7.324", "5.7.324"),
            (.dnsQueryFailed, "dns-query-failed", "4.4.312", "5.4.312"),
        ])
    func knownCodes(_ failure: FailureReason, _ name: String, _ transient: String, _ permanent: String) {
        #expect(failure.name == name)
        #expect(failure.transientStatus.description == transient)
        #expect(failure.permanentStatus.description == permanent)
        #expect(failure.text.hasPrefix("\(name): "))
    }

    @Test("Names are metric labels: distinct, lower case, hyphenated", arguments: FailureReason.allCases)
    func names(_ failure: FailureReason) {
        #expect(failure.name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D })
        #expect(FailureReason(rawValue: failure.name) == failure)
    }

    @Test("Failures of DANE, DNSSEC, and of TLS that is owed, and no others, expire after 24 hours")
    func expiryClass() {
        let short: Set<FailureReason> = [
            .startTLSNotSupported, .certificateExpired, .certificateHostMismatch, .certificateNotTrusted, .tlsaInvalid,
            .tlsHandshakeFailed, .dnssecInvalid,
        ]
        #expect(Set(FailureReason.allCases.filter(\.isSecurityFailure)) == short)
    }

    @Test(
        "dane-rules 8: null MX is 5.1.10, and permanent with no-such-domain, a loop and an operator's verdict only (field C9)"
    )
    func permanent() {
        #expect(FailureReason.nullMX.permanentStatus.description == "5.1.10")
        #expect(FailureReason.noSuchDomain.permanentStatus.description == "5.1.2")
        #expect(FailureReason.noSuchHost.permanentStatus.description == "5.4.4")
        #expect(FailureReason.routingLoop.permanentStatus.description == "5.4.6")
        #expect(FailureReason.failedByOperator.permanentStatus.description == "5.7.0")
        let final: Set<FailureReason> = [
            .nullMX, .noSuchDomain, .noSuchHost, .routingLoop, .failedByOperator, .unsupportedByHost,
        ]
        #expect(Set(FailureReason.allCases.filter(\.isPermanent)) == final)
    }

    @Test("dane-rules 24: a DANE or DNSSEC verdict beats every other failure, wherever it stands")
    func mostTelling() {
        let others = FailureReason.allCases.filter { !$0.isSecurityFailure }
        for verdict in FailureReason.allCases.filter(\.isSecurityFailure) {
            #expect(FailureReason.mostTelling(of: others + [verdict]) == verdict)
            #expect(FailureReason.mostTelling(of: [verdict] + others) == verdict)
        }
        #expect(FailureReason.mostTelling(of: []) == nil)
    }

    @Test("dane-rules 24: among equals the most preferred host speaks")
    func firstAmongEquals() {
        #expect(FailureReason.mostTelling(of: [.connectionRefused, .connectionTimeout]) == .connectionRefused)
        #expect(FailureReason.mostTelling(of: [.connectionTimeout, .connectionRefused]) == .connectionTimeout)
    }

    @Test("dane-rules 34: result types of TLS reports are IANA's")
    func tlsReports() {
        let types = Set(FailureReason.allCases.compactMap(\.tlsReportResultType))
        let expected: Set<String> = [
            "starttls-not-supported", "certificate-expired", "certificate-host-mismatch", "certificate-not-trusted",
            "tlsa-invalid", "dnssec-invalid", "validation-failure",
        ]
        #expect(types == expected)
    }
}
