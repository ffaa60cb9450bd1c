import DNSModel
import MailModel
import Routing
import Testing
import TransportSecurity

@Suite("Failures of planning")
struct RouteFailureTests {
    @Test("dane-rules 10, 12: what planning found has one name")
    func routes() {
        let question = DNSQuestion(Story.mx, .mx)
        #expect(FailureReason(NoRoute.failed(.dnssecInvalid(question, .bogus("")))) == .dnssecInvalid)
        #expect(FailureReason(NoRoute.failed(.dnsQueryFailed(question, .timeout))) == .dnsQueryFailed)
        #expect(FailureReason(NoRoute.failed(.overLimit(question, count: 101))) == .dnsQueryFailed)
        #expect(FailureReason(NoRoute.failed(.routingLoop(Story.mx))) == .routingLoop)
        #expect(FailureReason(NoRoute.nullMX(.secure)) == .nullMX)
        #expect(FailureReason(NoRoute.noSuchDomain(.nameError, .insecure)) == .noSuchDomain)
        #expect(FailureReason(RouteFailure.noAddress(Story.mx)) == .noUsableRoute)
        // hostile-input 24: an MX that leads to this machine is a loop, for good.
        #expect(FailureReason(RouteFailure.loopback(Story.mx)) == .routingLoop)
        #expect(
            "\(FailureReason.routingLoop.permanentStatus)" == "5.4.6" && FailureReason.routingLoop.isPermanent)
    }
}
