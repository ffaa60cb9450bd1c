import Cryptography
import DNSModel
import LabDNS
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
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

    /// A relay whose first message for `domain` failed with a wrong record, which is kept for an hour and was mended since.
    private func withMended(
        _ domain: String, _ body: (LabRelay, _ id: MessageID) async throws -> Void
    ) async throws {
        let port = Ports.unused()
        var mended = LabDomain(domain, publishesTLSA: false)
        var wrong = LabRecord.tlsa(mended.host, port: port, 3, 1, 1, Array(repeating: 7, count: 32))
        wrong.timeToLive = 3_600
        mended.records = [wrong]
        var options = LabRelayOptions()
        options.deliveryPort = port
        options.settings = ["retry.schedule": "[15s]"]
        try await LabRelay.with([.dane("alpha.test"), mended], options) { lab in
            let id = try await lab.submit(to: "bob@\(domain)")
            // The mismatch has spent what is asked anew without an operator.
            #expect(try await lab.firstOutcome(of: id).reason == "tlsa-invalid")
            let peer = lab.peer(domain)
            let right = peer.leaf.certificate.tlsaRecord(usage: .daneEE, selector: .spki, matchingType: .sha256)
            try await lab.internet.update(
                domain,
                [
                    .mx(peer.domain.host), .a(peer.domain.host, "\(peer.server.address)"),
                    .tlsa(peer.domain.host, port: port, 3, 1, 1, right.associationData),
                ])
            try await body(lab, id)
        }
    }

    private func expectDelivered(_ id: MessageID, _ lab: LabRelay) async throws {
        let next = try await lab.wait(for: id) { $0.contains { $0.attempt == 2 } }.filter { $0.attempt == 2 }
        #expect(next.map(\.reason) == [nil])
        #expect(next.first?.kind == .send && next.first?.authentication == .dane)
    }

    @Test("Without an operator's word the record in the cache counts, and the reason says until when (field D6)")
    func kept() async throws {
        try await self.withMended("kept.test") { lab, id in
            try await lab.relayctl(["queue", "hold", "--everything", "--yes"])
            try await lab.relayctl(["queue", "release", "--everything", "--yes"])
            let trace = try await lab.wait(for: id) { $0.contains { $0.kind == .defer && $0.attempt == 2 } }
            let text = trace.last { $0.attempt == 2 }?.reply ?? ""
            #expect(text.contains("came from the cache, which keeps them until "), "\(text)")
        }
    }

    @Test("A retry looks everything up anew that leads to the hosts of its entries (field D6)")
    func retried() async throws {
        try await self.withMended("retried.test") { lab, id in
            let run = try await lab.relayctl(["queue", "retry", "--domain", "retried.test"])
            #expect(run.output == "made 1 entry due\n", "\(run.errors)")
            try await self.expectDelivered(id, lab)
        }
    }

    @Test("A name that an operator flushed is looked up anew, by its host, with its TLSA records (field D6)")
    func flushed() async throws {
        try await self.withMended("flushed.test") { lab, id in
            // Neither of these asks anything anew.
            try await lab.relayctl(["queue", "hold", "--domain", "flushed.test"])
            let run = try await lab.relayctl([
                "dns", "flush", lab.peer("flushed.test").domain.host, "--reason", "mended",
            ])
            #expect(run.status == 0 && run.output.hasPrefix("nodes look up anew: mx.flushed.test"), "\(run)")
            let line = await lab.relayd.waitForLogLine { $0["msg"] == "answers of the DNS are looked up anew" }
            #expect(line?["reason"]?.contains("mx.flushed.test") == true)
            try await lab.relayctl(["queue", "release", "--domain", "flushed.test"])
            try await self.expectDelivered(id, lab)
        }
    }

    @Test("SIGHUP has all answers looked up anew (field D6)")
    func reloaded() async throws {
        try await self.withMended("reloaded.test") { lab, id in
            try await lab.relayctl(["queue", "hold", "--domain", "reloaded.test"])
            try lab.relayd.reload()
            #expect(await lab.relayd.waitForLogLine { $0["msg"] == "configuration reloaded" } != nil)
            try await lab.relayctl(["queue", "release", "--domain", "reloaded.test"])
            try await self.expectDelivered(id, lab)
        }
    }
}
