import Cryptography
import LabPeers
import LabSupport
import MailModel
import NIOEmbedded
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

/// A client that shows a certificate of its own and offers protocols, as the control channel's does.
@Suite("What our client shows and offers", .timeLimit(.minutes(2)))
struct ClientIdentityTests {
    let pki: TestPKI
    let server: TestPKI.Leaf
    init() throws {
        self.pki = try TestPKI()
        self.server = try self.pki.leaf("controller.test")
    }

    private static let file = "the cluster's"

    /// Verifies `controller.test` by the lab's root.
    private func requirement() throws -> TLSRequirement {
        .mustVerify(CertificateVerification(name: "controller.test", authorities: .file(Self.file)))
    }

    private func context(_ identity: TestPKI.Leaf?, _ protocols: [String] = []) throws -> TLSClientContext {
        try TLSClientContext(
            authorities: [Self.file: [self.pki.root.certificate]], identity: identity?.serverCertificate(),
            applicationProtocols: protocols)
    }

    /// How both sides see a handshake with a server of ours.
    private func shake(
        _ context: TLSClientContext, recognising authority: Certificate? = nil, _ protocols: [String] = ["h2"]
    ) throws -> (client: TLSClientOutcome?, server: TLSServerOutcome?) {
        let clients = authority.map { RecognisedClients(authorities: [$0], fingerprints: []) }
        let store = try ServerCertificateStore(
            [self.server.serverCertificate()], applicationProtocols: protocols, clients: clients)
        let pair = try EmbeddedPair(self.requirement(), by: context, store)
        try pair.exchange()
        return (pair.client.recorder.clientOutcome, pair.server.recorder.serverOutcome)
    }

    private func proven(_ outcome: TLSServerOutcome?) -> String? {
        if case .encrypted(let info)? = outcome { info.client?.subject } else { nil }
    }

    @Test("A certificate is shown to a server that asks for one, and proves the client to who trusts its authority")
    func identity() throws {
        let node = try self.context(self.pki.leaf("node.test"))
        let known = try self.shake(node, recognising: self.pki.root.certificate)
        guard case .established(.authority, _)? = known.client else {
            Issue.record("the server is not verified: \(String(describing: known.client))")
            return
        }
        #expect(self.proven(known.server) == "CN=node.test")
        #expect(try self.proven(self.shake(node, recognising: TestPKI().root.certificate).server) == nil)
        #expect(try self.proven(self.shake(node).server) == nil, "nobody asked")
        let nameless = try self.context(nil)
        #expect(try self.proven(self.shake(nameless, recognising: self.pki.root.certificate).server) == nil)
    }

    @Test("ALPN: the server takes the first of its own protocols that is offered, and both sides know it (RFC 7301)")
    func protocols() throws {
        func chosen(_ offered: [String], _ accepted: [String]) throws -> [String?] {
            let outcome = try self.shake(self.context(nil, offered), accepted)
            guard case .established(_, let client)? = outcome.client, case .encrypted(let server)? = outcome.server
            else {
                return ["no handshake"]
            }
            return [client.applicationProtocol, server.applicationProtocol]
        }
        #expect(try chosen(["h2"], ["h2"]) == ["h2", "h2"])
        #expect(try chosen(["http/1.1", "h2"], ["h2", "http/1.1"]) == ["h2", "h2"])
        #expect(try chosen([], ["h2"]) == [nil, nil])
        guard case .failed(let failure, _)? = try self.shake(self.context(nil, ["h2"]), ["smtp"]).client else {
            Issue.record("a protocol that the server does not have was taken")
            return
        }
        #expect(failure.reason == .disagreement)
        for name in ["", String(repeating: "a", count: 256)] {
            #expect(throws: TLSConfigurationError.self) { try self.context(nil, [name]) }
        }
    }
}
