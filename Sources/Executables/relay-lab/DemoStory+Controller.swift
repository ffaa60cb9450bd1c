import Foundation
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore

/// What the controller does for a node, and what a node does without it.
extension DemoStory {
    /// A domain that the DNS does not know: its mail gets to a server only by what the controller says of it.
    private static let addedDomain = "hosted.test"
    /// Where its mail goes then.
    private static let addedHost = "plain.test"

    private var cluster: LabCluster {
        get throws {
            guard let cluster = self.lab.cluster else { throw LabFailure("the lab has no controller") }
            return cluster
        }
    }

    mutating func showEnrolment() async throws {
        let node = try await self.node()
        self.conclude(
            "\(LabRelay.nodeName) is enrolled, and serves state \(node.served) of the controller",
            "\(LabRelay.nodeName) is \(node.status), and serves state \(node.served)",
            ["its certificate ends at \(node.certificateEnd), and renews itself before"],
            unless: [node.status == "current" && node.served > 0 ? nil : "\(node)"])
    }

    mutating func addDomain() async throws {
        let before = try await self.node().served
        let peer = self.lab.peer(Self.addedHost)
        let nextHop = "[\(peer.server.address)]:\(peer.server.port)"
        let began = ContinuousClock.now
        try await self.cluster.administer("domain", "add", Self.addedDomain, "--next-hop", nextHop, "--wait")
        let time = ContinuousClock.now - began
        let after = try await self.node().served
        let (id, trace) = try await self.send(to: "bob@\(Self.addedDomain)")
        let event = trace.first { $0.kind != .receive }
        self.conclude(
            "relayctl domain add \(Self.addedDomain): the node serves it", "\(Self.addedDomain) is not served",
            ["state \(before) → \(after) · mail for it went to \(nextHop) · trace \(id)"], took: time,
            unless: [
                after > before ? nil : "the node serves state \(after), as before",
                time < .seconds(1) ? nil : "it took \(time.shortText)",
                // To the next hop of an accepted domain.
                event?.kind == .transfer ? nil : event?.reply ?? event?.reason ?? "nothing became of its mail",
            ])
    }

    mutating func importWrongCertificate() async throws {
        let shown = try await self.shownCertificate()
        var refusal = ""
        do {
            try await self.cluster.importCertificate(try self.lab.pki.leaf("wrong.test"), waits: true)
        } catch let failure as ChildProcess.Failure {
            refusal = failure.description
        }
        let node = try await self.node()
        let stillShown = try await self.shownCertificate()
        self.conclude(
            "a certificate for another name: the node refuses it (NACK), and shows the old one",
            "a certificate for another name", [node.refusal ?? "", "relayctl cert import --wait: exit 1"],
            unless: [
                node.refusal?.contains(LabRelay.nodeName) == true
                    ? nil : "no refusal that names \(LabRelay.nodeName): \(node)",
                refusal.contains("status 1") ? nil : "relayctl did not say so: \(refusal)",
                shown == stillShown ? nil : "clients are shown another certificate now",
            ])
        try await self.cluster.importCertificate(try self.lab.pki.leaf(LabRelay.nodeName), waits: true)
    }

    mutating func loseController() async throws {
        try await self.cluster.replica.process.kill()
        let noticed = await self.lab.relayd.waitForLogLine { $0["msg"] == "not following the controller" }
        let (id, trace) = try await self.send(to: "carol@bravo.test")
        let event = trace.first { $0.kind != .receive }
        self.conclude(
            "the controller is killed: relayd goes on, and mail for bravo.test is sent with DANE",
            "mail did not go on without the controller", [noticed?["reason"] ?? "", "trace \(id)"],
            unless: [
                noticed == nil ? "the node did not notice" : nil,
                event?.kind == .send && event?.authentication == .dane ? nil : "its mail was not sent with DANE",
            ])
    }

    // MARK: What relayctl and clients see

    private struct NodeSeen {
        var status = ""
        var served = 0
        var certificateEnd = ""
        var refusal: String?
    }

    private func node() async throws -> NodeSeen {
        let output = try await self.cluster.administer("node", "show", LabRelay.nodeName, "-o", "json")
        guard let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any] else {
            throw LabFailure("relayctl node show gave no JSON: \(output)")
        }
        return NodeSeen(
            status: object["status"] as? String ?? "", served: object["served_version"] as? Int ?? 0,
            certificateEnd: object["certificate_not_after"] as? String ?? "",
            refusal: (object["refusal"] as? [String: Any])?["reason"] as? String)
    }

    /// The certificate that a client is shown, in DER.
    private func shownCertificate() async throws -> [UInt8] {
        let port = self.lab.smtpPort
        let output = try await ChildProcess.run(
            "/bin/sh",
            ["-c", "openssl s_client -starttls smtp -connect 127.0.0.1:\(port) -showcerts </dev/null 2>&1; true"])
        guard let certificate = output.range(of: "-----BEGIN CERTIFICATE-----") else {
            throw LabFailure("no certificate on port \(port)")
        }
        let rest = output[certificate.lowerBound...]
        return Array(rest.range(of: "-----END CERTIFICATE-----").map { rest[..<$0.lowerBound].utf8 } ?? rest.utf8)
    }
}
