import DANE
import DNSModel
import MailModel
import TestLiterals
import Testing

/// dane-rules 15 to 20: which chain matches which record, and why not.
@Suite("Matching a chain")
struct MatcherTests {
    // The leaf, an intermediate and a root; each certificate's content is one letter, and its key the capital.
    static let leaf = Certificate("l")
    static let intermediate = Certificate("i")
    static let root = Certificate("r")
    static let chain = [Self.leaf, Self.intermediate, Self.root]

    @Test("dane-rules 15: a right SHA2-256 beside a wrong SHA2-512 is a mismatch")
    func agilityMismatch() {
        let records = [Self.leaf.record(3, 1, 1), Certificate("x").record(3, 1, 2)]
        let set = TLSARecordSet(records, at: TLSABaseDomain("mx.example.org")) { _ in true }
        #expect(explain(set.usableRecords, Self.chain).fault == .tlsaInvalid)
    }

    @Test(
        "dane-rules 16: under DANE-EE name, dates and chain are ignored", arguments: [UInt8(0), 1], [UInt8(0), 1, 2])
    func endEntity(_ selector: UInt8, _ type: UInt8) {
        var leaf = Self.leaf
        leaf.validity = Self.longAgo
        leaf.names = ["other.example.net"]
        leaf.isIssuedByNext = false
        let record = leaf.record(3, selector, type)
        #expect(explain([record], [leaf]).match?.verdict == .matched(depth: 0, name: nil))
    }

    @Test("dane-rules 16: a DANE-EE record of the issuer is no match, and never certificate-expired")
    func endEntityIsTheLeaf() {
        var leaf = Self.leaf
        leaf.validity = Self.longAgo
        #expect(explain([Self.root.record(3, 1, 1)], [leaf, Self.root]).fault == .tlsaInvalid)
    }

    @Test("dane-rules 17: the anchor may be the root or an intermediate", arguments: [1, 2], [UInt8(0), 1])
    func anchor(_ depth: Int, _ selector: UInt8) {
        let explanation = explain([Self.chain[depth].record(2, selector, 1)], Self.chain)
        #expect(explanation.match?.verdict == .matched(depth: depth, name: "mx.example.org"))
    }

    @Test("dane-rules 17: an anchor that does not issue the leaf is no match")
    func brokenChain() {
        var leaf = Self.leaf
        leaf.isIssuedByNext = false
        let explanation = explain([Self.intermediate.record(2, 1, 1)], [leaf, Self.intermediate])
        #expect(explanation.records.map(\.verdict) == [.mismatched(.brokenChain(depth: 0))])
        #expect(explanation.fault == .tlsaInvalid)
    }

    @Test("dane-rules 17: an anchor by digest must be sent; one in full need not be", arguments: [UInt8(0), 1])
    func anchorNotSent(_ selector: UInt8) {
        let sent = [Self.leaf, Self.intermediate]
        let digest = Self.root.record(2, selector, 1)
        let full = Self.root.record(2, selector, 0)
        let issued: (TLSARecord, PresentedCertificate) -> Bool = {
            $0.associationData == full.associationData && $1.certificate == Self.intermediate.presented.certificate
        }
        #expect(explain([digest], sent, issued: issued).fault == .tlsaInvalid)
        #expect(explain([full], sent, issued: issued).match?.verdict == .matched(depth: 2, name: "mx.example.org"))
        #expect(explain([full], sent).fault == .tlsaInvalid)
    }

    @Test("dane-rules 17: the name must be one of the reference identifiers")
    func names() {
        let record = Self.root.record(2, 1, 1)
        var leaf = Self.leaf
        leaf.names = ["example.org"]
        let chain = [leaf, Self.intermediate, Self.root]
        #expect(explain([record], chain, names: ["mx.example.org", "example.org"]).match != nil)
        let misnamed = explain([record], chain, names: ["mx.example.org"])
        #expect(
            misnamed.records.map(\.verdict) == [.mismatched(.wrongName(CertificateNames(dnsNames: ["example.org"])))])
    }

    @Test(
        "dane-rules 17: a wildcard is one whole leftmost label; a common name counts only without DNS names",
        arguments: [
            (CertificateNames(dnsNames: ["MX.Example.ORG"]), true),
            (CertificateNames(dnsNames: ["*.example.org"]), true),
            (CertificateNames(dnsNames: ["m*.example.org"]), false),
            (CertificateNames(dnsNames: ["*x.example.org"]), false),
            (CertificateNames(dnsNames: ["mx.*.org"]), false),
            (CertificateNames(dnsNames: ["*.org"]), false),
            (CertificateNames(dnsNames: ["*"]), false),
            (CertificateNames(dnsNames: ["*.mx.example.org"]), false),
            (CertificateNames(dnsNames: ["example.org"]), false),
            (CertificateNames(dnsNames: ["mx.example.org\0.evil.test"]), false),
            (CertificateNames(dnsNames: ["", "mx..example.org"]), false),
            (CertificateNames(dnsNames: [], commonName: "mx.example.org"), true),
            (CertificateNames(dnsNames: [], commonName: "*.example.org"), true),
            (CertificateNames(dnsNames: ["other.test"], commonName: "mx.example.org"), false),
            (CertificateNames(dnsNames: []), false),
        ])
    func certificateNames(_ names: CertificateNames, _ matches: Bool) {
        #expect((names.firstMatch(among: ["mx.example.org"]) != nil) == matches)
    }

    @Test("dane-rules 17: a wildcard does not reach two labels down")
    func wildcardDepth() {
        #expect(
            CertificateNames(dnsNames: ["*.example.org"]).firstMatch(among: ["a.mx.example.org", "example.org"]) == nil)
    }

    @Test("dane-rules 17: a wildcard right below the root covers nothing")
    func wildcardOfTopLevel() {
        #expect(CertificateNames(dnsNames: ["*.org"]).firstMatch(among: ["example.org"]) == nil)
    }

    @Test("dane-rules 18: one matching record is enough, of either usage")
    func oneIsEnough() {
        let wrong = Certificate("x")
        #expect(explain([wrong.record(3, 1, 1), Self.root.record(2, 1, 1)], Self.chain).match?.record.usage == .daneTA)
        #expect(explain([wrong.record(2, 1, 1), Self.leaf.record(3, 1, 1)], Self.chain).match?.record.usage == .daneEE)
    }

    @Test("dane-rules 19: expiry under DANE-TA is told from every other mismatch", arguments: 0...2)
    func expired(_ depth: Int) {
        var chain = Self.chain
        chain[depth].validity = Self.longAgo
        let explanation = explain([Self.root.record(2, 1, 1)], chain)
        #expect(explanation.records.map(\.verdict) == [.mismatched(.expired(depth: depth))])
        #expect(explanation.fault == .certificateExpired)
    }

    @Test("dane-rules 19: a certificate from the future is a mismatch, and expiry above the anchor is none")
    func otherDates() {
        var chain = Self.chain
        chain[0].validity = Timestamp(seconds: 900)...Timestamp(seconds: 1000)
        #expect(explain([Self.root.record(2, 1, 1)], chain).fault == .tlsaInvalid)
        chain = Self.chain
        chain[2].validity = Self.longAgo
        #expect(explain([Self.intermediate.record(2, 1, 1)], chain).match != nil)
    }

    @Test("A digest is computed once per selector, type and certificate, however many records there are")
    func digestsOnce() {
        var computed = 0
        let records =
            (0..<50).map { TLSARecord.record(3, 1, 1, fill: $0) } + (0..<50).map { .record(2, 1, 1, fill: $0) }
        let explanation = explain(records, Self.chain, onDigest: { computed += 1 })
        #expect(explanation.records.count == 100)
        #expect(computed == 3)
    }

    @Test("A peer without certificate matches nothing")
    func emptyChain() {
        #expect(explain([.good], []).records.map(\.verdict) == [.mismatched(.noCertificate)])
    }
}
