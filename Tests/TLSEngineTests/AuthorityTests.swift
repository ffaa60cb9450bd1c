import Cryptography
import LabPeers
import MailModel
import NIOEmbedded
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

@Suite("Certificates of hosts, verified by authorities and a name", .timeLimit(.minutes(2)))
struct AuthorityTests {
    let pki: TestPKI
    init() throws { self.pki = try TestPKI() }

    private static let file = "the lab's"

    /// What becomes of a host that presents `leaf` where `name` is wanted: `certified`, or why not.
    private func verdict(
        _ leaf: TestPKI.Leaf, name wanted: DomainName = "mx.example.test", authorities: [Certificate]? = nil,
        by trusted: TrustedAuthorities = .file(Self.file)
    ) throws -> TLSFault? {
        let context = try TLSClientContext(authorities: [Self.file: authorities ?? [self.pki.root.certificate]])
        let verification = CertificateVerification(name: wanted, authorities: trusted)
        let pair = try EmbeddedPair(.client(context, .mustVerify(verification)), self.pki.store(leaf))
        try pair.exchange()
        pair.server.send("220 secret")
        try pair.exchange()
        switch pair.client.recorder.clientOutcome {
        case .established(.authority(let peer), let info):
            #expect(peer.verification == verification)
            #expect(info.version == "TLSv1.3" && !info.resumed)
            #expect(pair.client.recorder.bytes == Array("220 secret".utf8))
            guard case .encrypted(let seen) = pair.server.recorder.serverOutcome else {
                Issue.record("the server saw no handshake")
                return nil
            }
            #expect(seen.serverName == verification.name, "SNI is the name")
            return nil
        case .failed(let failure, let chain):
            #expect(pair.client.recorder.bytes.isEmpty, "no application byte may pass")
            #expect(!pair.client.channel.isActive)
            #expect(chain.isEmpty, "nobody explains it")
            #expect(failure.connection?.version == "TLSv1.3")
            return failure.reason
        case .established, nil:
            Issue.record("no verdict: \(String(describing: pair.client.recorder.clientOutcome))")
            return nil
        }
    }

    @Test("A certificate of the authority for the name is a proof, under a wildcard too, and to an intermediate alone")
    func certified() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        #expect(try self.verdict(leaf) == nil)
        #expect(try self.verdict(self.pki.leaf("*.example.test")) == nil)
        #expect(try self.verdict(leaf, authorities: [self.pki.intermediate.certificate]) == nil)
        #expect(try self.verdict(leaf.presenting([leaf.certificate, self.pki.intermediate.certificate])) == nil)
    }

    @Test("A wrong name, wrong dates, another authority, or a missing intermediate is none, and each has its reason")
    func refused() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        #expect(try self.verdict(leaf, name: "example.test") == .nameMismatch)
        #expect(try self.verdict(self.pki.leaf("*.example.test"), name: "a.mx.example.test") == .nameMismatch)
        // The CN counts only without a DNS SAN.
        let misnamed = try self.pki.leaf(commonName: "mx.example.test", ["other.test"])
        #expect(try self.verdict(misnamed) == .nameMismatch)
        #expect(try self.verdict(self.pki.leaf("mx.example.test", validity: .expired)) == .certificateExpired)
        #expect(try self.verdict(self.pki.leaf("mx.example.test", validity: .notYetValid)) == .certificateNotYetValid)
        #expect(try self.verdict(TestPKI().leaf("mx.example.test")) == .untrusted)
        #expect(try self.verdict(leaf.presenting([leaf.certificate])) == .untrusted)
        #expect(try self.verdict(leaf, by: .system) == .untrusted)
    }

    @Test("A name that does not match is told with those of the certificate")
    func told() throws {
        let context = try TLSClientContext(authorities: [Self.file: [self.pki.root.certificate]])
        let verification = CertificateVerification(name: "mx.example.test", authorities: .file(Self.file))
        let leaf = try self.pki.leaf("a.test", "b.test", "c.test", "d.test")
        let pair = try EmbeddedPair(.client(context, .mustVerify(verification)), self.pki.store(leaf))
        try pair.exchange()
        guard case .failed(let failure, _) = pair.client.recorder.clientOutcome else {
            Issue.record("not refused")
            return
        }
        #expect(failure.text.hasSuffix("the certificate is for a.test b.test c.test, not for mx.example.test"))
    }

    @Test("Authorities that were not loaded are our own mistake, and no weaker check")
    func notLoaded() throws {
        let verification = CertificateVerification(name: "mx.example.test", authorities: .file("/other"))
        #expect(throws: TLSConfigurationError.self) {
            try TLSHandler.client(TLSClientContext(), .mustVerify(verification))
        }
    }
}
