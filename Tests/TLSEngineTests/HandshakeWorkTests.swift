import Cryptography
import DANE
import DNSModel
import LabPeers
import MailModel
import TestLiterals
import Testing
import TransportSecurity

@testable import TLSEngine

/// What a handshake under `mustAuthenticate` may cost, counted in what OpenSSL is given to do.
@Suite("The work of a DANE handshake", .timeLimit(.minutes(3)))
struct HandshakeWorkTests {
    let pki: TestPKI
    init() throws { self.pki = try TestPKI() }

    /// The outcome of a real handshake, and what it took.
    private func shake(
        _ leaf: TestPKI.Leaf, _ records: [TLSARecord]
    ) throws -> (TLSClientOutcome?, ChainVerification.Work) {
        let base: DomainName = "mx.example.test"
        let requirement = TLSRequirement.mustAuthenticate(
            DANEAuthentication(records: records, baseDomain: TLSABaseDomain(base), referenceIdentifiers: [base]))
        let handler = try TLSHandler.client(TLSClientContext(), requirement)
        let pair = try EmbeddedPair(handler, self.pki.store(leaf))
        try pair.exchange()
        return (pair.client.recorder.clientOutcome, try #require(handler.connection.verification?.work))
    }

    /// `2 1 0` records of keys that signed nothing.
    private static func foreignKeys(_ count: Int) throws -> [TLSARecord] {
        try (0..<count).map { _ in
            TLSARecord(
                usage: .daneTA, selector: .spki, matchingType: .full,
                associationData: try PrivateKey(.p521).subjectPublicKeyInfo)
        }
    }

    /// A leaf below so many authorities, each with a key of its own.
    private func longChain(_ count: Int) throws -> (leaf: TestPKI.Leaf, authorities: [CertificateAuthority]) {
        var authorities = [try CertificateAuthority.selfSigned(TestPKI.authority("Root"), key: PrivateKey(.p521))]
        while authorities.count < count - 1 {
            let key = try PrivateKey(.p521)
            let certificate = try authorities[0].issue(TestPKI.authority("CA \(authorities.count)"), key: key)
            authorities.insert(CertificateAuthority(certificate: certificate, key: key), at: 0)
        }
        let key = try PrivateKey(.p521)
        var request = TestPKI.authority("mx.example.test")
        request.isAuthority = false
        request.dnsNames = ["mx.example.test"]
        let leaf = TestPKI.Leaf(
            certificate: try authorities[0].issue(request, key: key), key: key, chainPEM: "")
        return (leaf.presenting([leaf.certificate] + authorities.map(\.certificate)), authorities)
    }

    @Test("A hundred keys of P-521 and a chain of 32 cost a bounded number of signature checks (field A1)")
    func keysAndChain() throws {
        let (leaf, _) = try self.longChain(32)
        let (outcome, work) = try self.shake(leaf, Self.foreignKeys(100))
        guard case .failed(let failure, let chain)? = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(failure.reason == .chainBeyondLimit)
        #expect(failure.text.contains("of 32 certificates the first 10 count"))
        #expect(failure.text.contains("92 TLSA records beyond 8 with full data do not count"))
        #expect(chain.count == DANELimits.certificates)
        #expect(work == ChainVerification.Work(chains: 1, signatureChecks: 18))
    }

    @Test("Records beyond the limit withhold no match of another record, nor does a long chain (field A1)")
    func othersMatch() throws {
        let (leaf, authorities) = try self.longChain(32)
        let keys = try Self.foreignKeys(20)
        let matching = [
            leaf.tlsaRecord(.daneEE, .spki, .sha256),
            authorities[0].certificate.tlsaRecord(usage: .daneTA, selector: .cert, matchingType: .sha256),
            authorities[8].certificate.tlsaRecord(usage: .daneTA, selector: .spki, matchingType: .sha512),
        ]
        for record in matching {
            guard case .established(.dane(let peer), _)? = try self.shake(leaf, keys + [record]).0 else {
                Issue.record("\(record) does not match")
                continue
            }
            #expect(peer.matched == record)
        }
        // The certificate at depth 10 is the eleventh.
        let beyond = authorities[9].certificate.tlsaRecord(usage: .daneTA, selector: .cert, matchingType: .sha256)
        guard case .failed(let failure, _)? = try self.shake(leaf, [beyond]).0 else {
            Issue.record("a certificate beyond the limit counts")
            return
        }
        #expect(failure.reason == .chainBeyondLimit)
    }

    @Test(
        "Ten authorities of one name, which all may have issued each other, are not tried in every order (field A1, D4)"
    )
    func namesakes() throws {
        let key = try PrivateKey(.p521)
        let root = try CertificateAuthority.selfSigned(TestPKI.authority("Namesake"), key: key)
        let others = try (0..<9).map { _ in try root.issue(TestPKI.authority("Namesake"), key: key) }
        let issuer = CertificateAuthority(certificate: others[0], key: key)
        var request = TestPKI.authority("mx.example.test")
        request.isAuthority = false
        let leafKey = try PrivateKey(.p256)
        let leaf = TestPKI.Leaf(certificate: try issuer.issue(request, key: leafKey), key: leafKey, chainPEM: "")
            .presenting([try issuer.issue(request, key: leafKey)])
        let presented = TestPKI.Leaf(certificate: leaf.certificate, key: leafKey, chainPEM: "")
            .presenting([leaf.certificate] + others)
        let (outcome, work) = try self.shake(presented, Self.foreignKeys(8))
        guard case .failed? = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(work.signatureChecks <= DANELimits.signatureChecks)
        #expect(work.chains <= 2)
    }

    @Test("A chain that is verified at once is built once (field A1)")
    func successCostsNoMore() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        let (outcome, work) = try self.shake(leaf, [self.pki.anchorRecord])
        guard case .established(.dane, _)? = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(work == ChainVerification.Work(chains: 1, signatureChecks: 3))
    }
}
