import DNSModel
import MailModel
import Routing
import Testing
import TransportSecurity

/// dane-rules 2, 10, 12, 24 and 34, and the names and codes that operators know.
@Suite("Failures")
struct TransportFailureTests {
    @Test(
        "The names and codes are those of Exchange Online",
        arguments: [
            (TransportFailure.startTLSNotSupported, "starttls-not-supported", "4.7.321", "5.7.321"),
            (.certificateExpired, "certificate-expired", "4.7.322", "5.7.322"),
            (.tlsaInvalid, "tlsa-invalid", "4.7.323", "5.7.323"),
            (.dnssecInvalid, "dnssec-invalid", "4.7.324", "5.7.324"),
            (.dnsQueryFailed, "dns-query-failed", "4.4.312", "5.4.312"),
        ])
    func knownCodes(_ failure: TransportFailure, _ name: String, _ transient: String, _ permanent: String) {
        #expect(failure.name == name)
        #expect(failure.transientStatus.description == transient)
        #expect(failure.permanentStatus.description == permanent)
        #expect(failure.text.hasPrefix("\(name): "))
    }

    @Test("Names are metric labels: distinct, lower case, hyphenated", arguments: TransportFailure.allCases)
    func names(_ failure: TransportFailure) {
        #expect(failure.name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D })
        #expect(TransportFailure(rawValue: failure.name) == failure)
    }

    @Test("Failures of DANE, DNSSEC, and of TLS that is owed, and no others, expire after 24 hours")
    func expiryClass() {
        let short: Set<TransportFailure> = [
            .startTLSNotSupported, .certificateExpired, .certificateHostMismatch, .certificateNotTrusted, .tlsaInvalid,
            .tlsHandshakeFailed, .dnssecInvalid,
        ]
        #expect(Set(TransportFailure.allCases.filter(\.isSecurityFailure)) == short)
    }

    @Test(
        "dane-rules 8: null MX is 5.1.10, and permanent with no-such-domain, a loop and an operator's verdict only (field C9)"
    )
    func permanent() {
        #expect(TransportFailure.nullMX.permanentStatus.description == "5.1.10")
        #expect(TransportFailure.noSuchDomain.permanentStatus.description == "5.1.2")
        #expect(TransportFailure.noSuchHost.permanentStatus.description == "5.4.4")
        #expect(TransportFailure.routingLoop.permanentStatus.description == "5.4.6")
        #expect(TransportFailure.failedByOperator.permanentStatus.description == "5.7.0")
        let final: Set<TransportFailure> = [
            .nullMX, .noSuchDomain, .noSuchHost, .routingLoop, .failedByOperator, .unsupportedByHost,
        ]
        #expect(Set(TransportFailure.allCases.filter(\.isPermanent)) == final)
    }

    @Test("dane-rules 24: a DANE or DNSSEC verdict beats every other failure, wherever it stands")
    func mostTelling() {
        let others = TransportFailure.allCases.filter { !$0.isSecurityFailure }
        for verdict in TransportFailure.allCases.filter(\.isSecurityFailure) {
            #expect(TransportFailure.mostTelling(of: others + [verdict]) == verdict)
            #expect(TransportFailure.mostTelling(of: [verdict] + others) == verdict)
        }
        #expect(TransportFailure.mostTelling(of: []) == nil)
    }

    @Test("dane-rules 24: among equals the most preferred host speaks")
    func firstAmongEquals() {
        #expect(TransportFailure.mostTelling(of: [.connectionRefused, .connectionTimeout]) == .connectionRefused)
        #expect(TransportFailure.mostTelling(of: [.connectionTimeout, .connectionRefused]) == .connectionTimeout)
    }

    @Test("dane-rules 10, 12: what planning found has one name")
    func routes() {
        let question = DNSQuestion(Story.mx, .mx)
        #expect(TransportFailure(NoRoute.failed(.dnssecInvalid(question, .bogus("")))) == .dnssecInvalid)
        #expect(TransportFailure(NoRoute.failed(.dnsQueryFailed(question, .timeout))) == .dnsQueryFailed)
        #expect(TransportFailure(NoRoute.failed(.overLimit(question, count: 101))) == .dnsQueryFailed)
        #expect(TransportFailure(NoRoute.failed(.routingLoop(Story.mx))) == .routingLoop)
        #expect(TransportFailure(NoRoute.nullMX(.secure)) == .nullMX)
        #expect(TransportFailure(NoRoute.noSuchDomain(.nameError, .insecure)) == .noSuchDomain)
        #expect(TransportFailure(RouteFailure.noAddress(Story.mx)) == .noUsableRoute)
        // hostile-input 24: an MX that leads to this machine is a loop, for good.
        #expect(TransportFailure(RouteFailure.loopback(Story.mx)) == .routingLoop)
        #expect(
            "\(TransportFailure.routingLoop.permanentStatus)" == "5.4.6" && TransportFailure.routingLoop.isPermanent)
    }

    @Test("dane-rules 34: result types of TLS reports are IANA's")
    func tlsReports() {
        let types = Set(TransportFailure.allCases.compactMap(\.tlsReportResultType))
        let expected: Set<String> = [
            "starttls-not-supported", "certificate-expired", "certificate-host-mismatch", "certificate-not-trusted",
            "tlsa-invalid", "dnssec-invalid", "validation-failure",
        ]
        #expect(types == expected)
    }
}
