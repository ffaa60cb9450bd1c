import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

@Suite("Hosts that reject our name for them", .timeLimit(.minutes(2)))
struct ServerNameTests {
    @Test("TLS is agreed upon without SNI where the host rejects the name; trace and log say so (field C5, C6)")
    func rejected() async throws {
        // A fatal alert, unrecognized_name (RFC 6066 §3). It comes later than the 220, or it would be text behind that.
        let alert = String(decoding: [0x15, 3, 3, 0, 2, 2, 112] as [UInt8], as: UTF8.self)
        let nameless = LabDomain(
            "nameless.test", publishesTLSA: false,
            rules: [.on(.startTLS, connection: 1, .reply("220 go"), .wait(.seconds(3)), .bytes(alert), .close)])
        try await LabRelay.with([.dane("alpha.test"), nameless]) { lab in
            let id = try await lab.submit(to: "bob@nameless.test")
            let event = try await lab.firstOutcome(of: id)
            #expect(event.kind == .send && event.authentication == .tls && event.tlsVersion != nil, "\(event)")
            #expect(event.tlsFailure?.hasPrefix("without SNI, after alert: ") == true, "\(event.tlsFailure ?? "")")
            try await lab.expectLogged(event)
            #expect(try await lab.relayd.metric("relayd_smtp_tls_abandoned_total") == 0)
        }
    }
}
