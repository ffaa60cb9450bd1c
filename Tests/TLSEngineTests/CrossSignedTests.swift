import Cryptography
import DANE
import DNSModel
import LabPeers
import MailModel
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

/// Chains that hold two versions of one authority, signed by two roots.
@Suite("Cross-signed intermediates (RFC 4158, RFC 7671 §5.2)", .timeLimit(.minutes(3)))
struct CrossSignedTests {
    let pki: TestPKI
    let first, second: CertificateAuthority
    /// One authority, certified by each root.
    let byFirst, bySecond: CertificateAuthority

    init() throws {
        self.pki = try TestPKI()
        self.first = try .selfSigned(TestPKI.authority("First root"), key: PrivateKey(.p256))
        self.second = try .selfSigned(TestPKI.authority("Second root"), key: PrivateKey(.p256))
        let key = try PrivateKey(.p256)
        self.byFirst = CertificateAuthority(
            certificate: try self.first.issue(TestPKI.authority("Cross-signed"), key: key), key: key)
        self.bySecond = CertificateAuthority(
            certificate: try self.second.issue(TestPKI.authority("Cross-signed"), key: key), key: key)
    }

    private func leaf(_ host: String = "mx.example.test", until end: Duration = .seconds(86_400)) throws -> TestPKI.Leaf
    {
        var request = TestPKI.authority(host, until: end)
        request.isAuthority = false
        request.dnsNames = [host]
        let key = try PrivateKey(.p256)
        return TestPKI.Leaf(certificate: try self.byFirst.issue(request, key: key), key: key, chainPEM: "")
    }

    private func outcome(
        _ leaf: TestPKI.Leaf, above chain: [CertificateAuthority], _ records: [TLSARecord]
    ) throws -> TLSClientOutcome? {
        let base: DomainName = "mx.example.test"
        let presented = leaf.presenting([leaf.certificate] + chain.map(\.certificate))
        let pair = try EmbeddedPair(
            .mustAuthenticate(
                DANEAuthentication(records: records, baseDomain: TLSABaseDomain(base), referenceIdentifiers: [base])),
            self.pki.store(presented))
        try pair.exchange()
        return pair.client.recorder.clientOutcome
    }

    private func matched(_ outcome: TLSClientOutcome?) -> TLSARecord? {
        if case .established(.dane(let peer), _)? = outcome { peer.matched } else { nil }
    }

    private func reason(_ outcome: TLSClientOutcome?) -> TLSFault? {
        if case .failed(let failure, _)? = outcome { failure.reason } else { nil }
    }

    private func record(
        _ authority: CertificateAuthority, _ selector: TLSARecord.Selector, _ type: TLSARecord.MatchingType
    ) -> TLSARecord {
        authority.certificate.tlsaRecord(usage: .daneTA, selector: selector, matchingType: type)
    }

    @Test("Either root's record matches, in whatever order the chain is presented (field D4)")
    func eitherRoot() throws {
        let leaf = try self.leaf()
        let orders = [
            [self.byFirst, self.bySecond, self.first, self.second], [self.byFirst, self.bySecond, self.second],
            [self.byFirst, self.first, self.bySecond, self.second], [self.second, self.byFirst, self.bySecond],
        ]
        for order in orders {
            for type in [TLSARecord.MatchingType.sha256, .full] {
                let wanted = self.record(self.second, .cert, type)
                #expect(try self.matched(self.outcome(leaf, above: order, [wanted])) == wanted)
            }
        }
        let wanted = self.record(self.first, .cert, .sha256)
        #expect(try self.matched(self.outcome(leaf, above: orders[0], [wanted])) == wanted)
        let version = self.record(self.bySecond, .cert, .sha256)
        #expect(try self.matched(self.outcome(leaf, above: orders[0], [version])) == version)
    }

    @Test(
        "A second root that stands in the record in full need not be presented (field D4)",
        arguments: [TLSARecord.Selector.cert, .spki])
    func heldRoot(_ selector: TLSARecord.Selector) throws {
        let wanted = self.record(self.second, selector, .full)
        let chain = [self.byFirst, self.bySecond]
        #expect(try self.matched(self.outcome(self.leaf(), above: chain, [wanted])) == wanted)
    }

    @Test("What the other order leads to is verified in whole: signature, dates and name (field D4)")
    func verifiedInWhole() throws {
        let wanted = [self.record(self.second, .cert, .sha256)]
        let chain = [self.byFirst, self.bySecond, self.second]
        #expect(try self.reason(self.outcome(self.leaf("other.example"), above: chain, wanted)) == .nameMismatch)
        let expired = try self.leaf(until: .seconds(-3600))
        #expect(try self.reason(self.outcome(expired, above: chain, wanted)) == .certificateExpired)
        // A root of the same name that signed nothing here.
        let mimic = try CertificateAuthority.selfSigned(TestPKI.authority("Second root"), key: PrivateKey(.p256))
        let mimicked = [self.byFirst, self.bySecond, mimic]
        let outcome = try self.outcome(self.leaf(), above: mimicked, [self.record(mimic, .cert, .sha256)])
        #expect(self.matched(outcome) == nil && self.reason(outcome) != nil)
        #expect(
            try self.reason(self.outcome(self.leaf(), above: [self.byFirst, self.bySecond], wanted))
                == .noRecordMatched)
    }

    @Test("A version that has expired does not hide the one that is in date (field D4)")
    func expiredVersion() throws {
        let key = self.byFirst.key
        let old = CertificateAuthority(
            certificate: try self.second.issue(TestPKI.authority("Cross-signed", until: .seconds(-60)), key: key),
            key: key)
        let wanted = self.record(self.second, .cert, .sha256)
        for chain in [[old, self.bySecond, self.second], [self.byFirst, old, self.bySecond, self.second]] {
            #expect(try self.matched(self.outcome(self.leaf(), above: chain, [wanted])) == wanted)
        }
        let outcome = try self.outcome(self.leaf(), above: [self.byFirst, old, self.second], [wanted])
        #expect(self.reason(outcome) == .certificateExpired)
    }
}
