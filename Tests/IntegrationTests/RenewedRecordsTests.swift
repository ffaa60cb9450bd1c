import DANE
import Lab
import MailModel
import QueueStore
import TLSEngine
import Testing

@Suite("TLSA records that are mended", .timeLimit(.minutes(2)))
struct RenewedRecordsTests {
    @Test("Mail goes on with records that were mended, though the wrong ones are still in the cache (field D6)")
    func mended() async throws {
        let port = Ports.unused()
        var mended = LabDomain(
            "mended.test", publishesTLSA: false,
            rules: [.on(.greeting, connection: 1, .reply("421 4.3.2 busy"), .close)])
        var wrong = LabRecord.tlsa(mended.host, port: port, 3, 1, 1, Array(repeating: 7, count: 32))
        wrong.timeToLive = 3_600
        mended.records = [wrong]
        var options = LabRelayOptions()
        options.deliveryPort = port
        options.settings = ["retry.schedule": "[4s]"]
        try await LabRelay.with([.dane("alpha.test"), mended], options) { lab in
            let id = try await lab.submit(to: "bob@mended.test")
            #expect(try await lab.firstOutcome(of: id).kind == .defer)
            let peer = lab.peer("mended.test")
            let right = peer.leaf.certificate.tlsaRecord(usage: .daneEE, selector: .spki, matchingType: .sha256)
            try await lab.internet.update(
                "mended.test",
                [
                    .mx(peer.domain.host), .a(peer.domain.host, "\(peer.server.address)"),
                    .tlsa(peer.domain.host, port: port, 3, 1, 1, right.associationData),
                ])
            let trace = try await lab.wait(for: id) { $0.contains { $0.kind == .send } }
            let last = trace.filter { $0.kind != .receive }.suffix(2)
            #expect(last.map(\.reason) == ["tlsa-invalid", nil])
            #expect(last.map(\.attempt) == [2, 2])
            #expect(last.last?.authentication == .dane)
        }
    }
}
