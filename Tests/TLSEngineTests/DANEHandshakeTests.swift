import Cryptography
import DANE
import DNSModel
import LabPeers
import MailModel
import NIOCore
import NIOEmbedded
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

/// What a handshake under `mustAuthenticate` comes to, for people and tests.
private enum Verdict: Equatable {
    case verified(by: TLSARecord, name: String?)
    case failed(TLSFault)
    case other
}

@Suite("DANE in the handshake (RFC 7671, RFC 7672 §3)", .timeLimit(.minutes(3)))
struct DANEHandshakeTests {
    let pki: TestPKI
    init() throws { self.pki = try TestPKI() }

    private func verdict(_ leaf: TestPKI.Leaf, _ requirement: TLSRequirement) throws -> Verdict {
        let pair = try EmbeddedPair(requirement, self.pki.store(leaf))
        try pair.exchange()
        pair.server.send("220 secret")
        try pair.exchange()
        switch pair.client.recorder.clientOutcome {
        case .established(.dane(let peer), let info):
            #expect(info.version == "TLSv1.3")
            #expect(!info.resumed)
            #expect(pair.client.recorder.bytes == Array("220 secret".utf8))
            return .verified(by: peer.matched, name: peer.matchedName?.text)
        case .failed(let failure, let chain):
            #expect(pair.client.recorder.bytes.isEmpty, "no application byte may pass")
            #expect(!pair.client.channel.isActive)
            #expect(chain.map(\.der) == leaf.presented.map(\.der), "the refused chain can be explained")
            return .failed(failure.reason)
        case .established, nil:
            return .other
        }
    }

    @Test(
        "DANE-EE matches certificate or key, whole or by digest",
        arguments: [
            (TLSARecord.Selector.spki, TLSARecord.MatchingType.sha256), (.cert, .sha512), (.cert, .full),
            (.spki, .full),
        ])
    func daneEE(_ selector: TLSARecord.Selector, _ type: TLSARecord.MatchingType) throws {
        let leaf = try self.pki.leaf("mx.example.test")
        let record = leaf.tlsaRecord(.daneEE, selector, type)
        #expect(try self.verdict(leaf, .dane(record)) == .verified(by: record, name: nil))
        let foreign = try self.pki.leaf("mx.example.test").tlsaRecord(.daneEE, selector, type)
        #expect(try self.verdict(leaf, .dane(foreign)) == .failed(.noRecordMatched))
    }

    @Test("Rule 16: DANE-EE ignores name, dates and chain", arguments: [TestPKI.Validity.expired, .notYetValid])
    func daneEEIgnoresDates(_ validity: TestPKI.Validity) throws {
        let leaf = try self.pki.leaf("other.example", validity: validity)
        let record = leaf.tlsaRecord(.daneEE, .spki, .sha256)
        #expect(try self.verdict(leaf, .dane(record)) == .verified(by: record, name: nil))
    }

    @Test("Rule 17: DANE-TA accepts a chain to root or intermediate, by any selector and type")
    func daneTA() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        for anchor in [self.pki.root.certificate, self.pki.intermediate.certificate] {
            for selector in [TLSARecord.Selector.cert, .spki] {
                for type in [TLSARecord.MatchingType.full, .sha256, .sha512] {
                    let record = anchor.tlsaRecord(usage: .daneTA, selector: selector, matchingType: type)
                    #expect(try self.verdict(leaf, .dane(record)) == .verified(by: record, name: "mx.example.test"))
                }
            }
        }
    }

    @Test("Rule 17: an anchor given in full need not be presented", arguments: [TLSARecord.Selector.cert, .spki])
    func anchorNotPresented(_ selector: TLSARecord.Selector) throws {
        var leaf = try self.pki.leaf("mx.example.test")
        leaf = leaf.presenting([leaf.certificate])
        let record = self.pki.intermediate.certificate.tlsaRecord(
            usage: .daneTA, selector: selector, matchingType: .full)
        #expect(try self.verdict(leaf, .dane(record)) == .verified(by: record, name: "mx.example.test"))
        let digest = self.pki.intermediate.certificate.tlsaRecord(
            usage: .daneTA, selector: selector, matchingType: .sha256)
        #expect(try self.verdict(leaf, .dane(digest)) == .failed(.noRecordMatched))
    }

    @Test("Rule 17: the next-hop domain is a reference identifier too")
    func secondReferenceIdentifier() throws {
        let leaf = try self.pki.leaf("example.test")
        let record = self.pki.anchorRecord
        #expect(try self.verdict(leaf, .dane(record)) == .failed(.nameMismatch))
        let requirement = TLSRequirement.dane(record, also: "example.test")
        #expect(try self.verdict(leaf, requirement) == .verified(by: record, name: "example.test"))
    }

    @Test(
        "Rule 17: a wildcard is a whole leftmost label",
        arguments: [("*.example.test", true), ("m*.example.test", false), ("*.test", false), ("*", false)])
    func wildcards(_ pattern: String, _ accepted: Bool) throws {
        let leaf = try self.pki.leaf(pattern)
        let verdict = try self.verdict(leaf, .dane(self.pki.anchorRecord))
        let name = "mx.example.test"
        #expect(verdict == (accepted ? .verified(by: self.pki.anchorRecord, name: name) : .failed(.nameMismatch)))
    }

    @Test("Rule 17: the common name counts only when there is no DNS name")
    func commonName() throws {
        let alone = try self.pki.leaf(commonName: "mx.example.test")
        guard case .verified = try self.verdict(alone, .dane(self.pki.anchorRecord)) else {
            Issue.record("a common name alone should count")
            return
        }
        let beside = try self.pki.leaf(commonName: "mx.example.test", ["other.example"])
        #expect(try self.verdict(beside, .dane(self.pki.anchorRecord)) == .failed(.nameMismatch))
    }

    @Test("Rule 18: one matching record is enough, whichever usage mismatches")
    func oneMatchIsEnough() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        let (ee, ta) = (leaf.tlsaRecord(.daneEE, .spki, .sha256), self.pki.anchorRecord)
        #expect(try self.verdict(leaf, .dane(ee.wrong, ta)) == .verified(by: ta, name: "mx.example.test"))
        #expect(try self.verdict(leaf, .dane(ta.wrong, ee)) == .verified(by: ee, name: nil))
        #expect(try self.verdict(leaf, .dane(ta.wrong, ee.wrong)) == .failed(.noRecordMatched))
    }

    @Test("Rule 15: OpenSSL too lets a wrong SHA2-512 outweigh a right SHA2-256, where it is given both")
    func digestAgility() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        let (weak, strong) = (
            leaf.tlsaRecord(.daneEE, .spki, .sha256), leaf.tlsaRecord(.daneEE, .spki, .sha512)
        )
        #expect(try self.verdict(leaf, .dane(weak, strong.wrong)) == .failed(.noRecordMatched))
        #expect(try self.verdict(leaf, .dane(weak.wrong, strong)) == .verified(by: strong, name: nil))
        let otherSelector = leaf.tlsaRecord(.daneEE, .cert, .sha512)
        #expect(try self.verdict(leaf, .dane(weak, otherSelector.wrong)) == .verified(by: weak, name: nil))
    }

    @Test("Rule 19: expired under DANE-TA is 322's reason, every other failure another's")
    func datesUnderTA() throws {
        let record = self.pki.anchorRecord
        let expired = try self.pki.leaf("mx.example.test", validity: .expired)
        #expect(try self.verdict(expired, .dane(record)) == .failed(.certificateExpired))
        #expect(try self.verdict(expired, .dane(record.wrong)) == .failed(.noRecordMatched))
        let early = try self.pki.leaf("mx.example.test", validity: .notYetValid)
        #expect(try self.verdict(early, .dane(record)) == .failed(.certificateNotYetValid))
    }

    @Test("Rule 13: PKIX usages and unusable data never authenticate, and never crash")
    func unusableRecords() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        for usage in [TLSARecord.CertificateUsage.pkixTA, .pkixEE, .init(rawValue: 255)] {
            let record = leaf.tlsaRecord(usage, .spki, .sha256)
            #expect(throws: TLSConfigurationError.self) { try self.verdict(leaf, .dane(record)) }
            let good = leaf.tlsaRecord(.daneEE, .spki, .sha256)
            #expect(try self.verdict(leaf, .dane(record, good)) == .verified(by: good, name: nil))
        }
        for length in [0, 1, 3, 31, 33] {
            for type in 0...3 as ClosedRange<UInt8> {
                let record = TLSARecord(
                    usage: .daneTA, selector: .cert, matchingType: .init(rawValue: type),
                    associationData: Array(repeating: 0x30, count: length))
                #expect(throws: TLSConfigurationError.self) { try self.verdict(leaf, .dane(record)) }
            }
        }
    }

    @Test("Rule 20: SNI is the base domain, whatever else is a reference identifier")
    func serverNameIndication() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        let requirement = TLSRequirement.dane(self.pki.anchorRecord, also: "example.test")
        let pair = try EmbeddedPair(requirement, self.pki.store(leaf))
        try pair.exchange()
        guard case .encrypted(let info) = pair.server.recorder.serverOutcome else {
            Issue.record("no handshake")
            return
        }
        #expect(info.serverName == "mx.example.test")
    }

    @Test("An unauthenticated requirement takes any certificate and proves nothing")
    func encryptOnly() throws {
        let leaf = try self.pki.leaf("other.example", validity: .expired)
        for requirement in [TLSRequirement.mustEncrypt, .opportunistic] {
            #expect(try self.verdict(leaf, requirement) == .other)
        }
    }
}

extension TestPKI {
    /// `2 0 1` of the root.
    var anchorRecord: TLSARecord {
        self.root.certificate.tlsaRecord(usage: .daneTA, selector: .cert, matchingType: .sha256)
    }
}

extension TestPKI.Leaf {
    var presented: [PeerCertificate] {
        ((try? Certificate.readAll(pem: Array(self.chainPEM.utf8))) ?? []).map(\.value)
    }
}
