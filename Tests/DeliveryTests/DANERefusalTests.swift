import Cryptography
import DANE
import DNSModel
import MailModel
import OperatingSystem
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

@testable import Delivery

/// Why a chain is refused, record by record, and what finding that out may cost.
@Suite("Explaining a refused chain", .timeLimit(.minutes(3)))
struct DANERefusalTests {
    private static let now = Timestamp.systemNow

    private static func refused(_ records: [TLSARecord], _ chain: [Certificate]) -> RefusedChain {
        RefusedChain(
            DANEAuthentication(
                records: records, baseDomain: TLSABaseDomain("mx.bravo.test"),
                referenceIdentifiers: ["mx.bravo.test"]), chain.map(\.value))
    }

    private static func request(_ name: String, isAuthority: Bool) -> CertificateRequest {
        CertificateRequest(
            commonName: name, notBefore: Self.now + .seconds(-60), notAfter: Self.now + .seconds(86_400),
            isAuthority: isAuthority)
    }

    /// A chain of so many certificates, each signed by the next.
    private static func chain(_ count: Int) throws -> [Certificate] {
        var issuer = try CertificateAuthority.selfSigned(
            Self.request("Root", isAuthority: true), key: PrivateKey(.p521))
        var chain = [issuer.certificate]
        while chain.count < count {
            let key = try PrivateKey(.p521)
            let certificate = try issuer.issue(Self.request("CA \(chain.count)", isAuthority: true), key: key)
            issuer = CertificateAuthority(certificate: certificate, key: key)
            chain.insert(certificate, at: 0)
        }
        return chain
    }

    @Test("A hundred keys and a chain of 32: eight records and ten certificates, each parsed once (field A1)")
    func bounded() throws {
        let keys = try (0..<100).map { _ in
            TLSARecord(
                usage: .daneTA, selector: .spki, matchingType: .full,
                associationData: try PrivateKey(.p521).subjectPublicKeyInfo)
        }
        let refusal = DANERefusal(Self.refused(keys, try Self.chain(32)), at: Self.now)
        #expect(refusal.work.parsed == 10 + 8)
        #expect(refusal.work.signatureChecks == 9 + 8 * 10)
        #expect(refusal.text.contains(", and 92 more records; presented 3 1 1 "))
    }

    @Test("An explanation names each record's reason and the record that would match")
    func words() throws {
        let chain = try Self.chain(3)
        let other = try PrivateKey(.p256)
        let record = TLSARecord(
            usage: .daneEE, selector: .spki, matchingType: .sha256,
            associationData: Digests.sha256(other.subjectPublicKeyInfo))
        let root = chain[2].tlsaRecord(usage: .daneTA, selector: .cert, matchingType: .sha256)
        let refusal = DANERefusal(Self.refused([record, root], chain), at: Self.now)
        #expect(refusal.text.contains("\(record): differs"))
        #expect(refusal.text.contains("\(root): the certificate is for"))
        let leaf = chain[0].tlsaRecord(usage: .daneEE, selector: .spki, matchingType: .sha256)
        #expect(refusal.text.hasSuffix("presented \(leaf.presentation)"))
    }

    @Test("Explanations run beside the event loop; where too many wait, the failure stands without (field A1)")
    func explainer() async throws {
        let record = TLSARecord(
            usage: .daneEE, selector: .spki, matchingType: .sha256, associationData: Array(repeating: 1, count: 32))
        let refused = Self.refused([record], try Self.chain(2))
        let requirement = AttemptRequirement(
            tls: .mustAuthenticate(refused.authentication), serverName: "mx.bravo.test")
        let outcome = TLSClientOutcome.failed(TLSFailure(.noRecordMatched, "no match"), refusedChain: refused.chain)
        let failure = HostFailure(.tlsaInvalid, outcome: outcome, requirement: requirement)
        #expect(failure.detail == "no match" && failure.refused == refused)
        let explainer = RefusalExplainer(time: .system)
        let explained = await withTaskGroup { group in
            for _ in 0..<200 { group.addTask { await explainer.explain(failure) } }
            return await group.reduce(into: [HostFailure]()) { $0.append($1) }
        }
        #expect(explained.count == 200 && explained.allSatisfy { $0.refused == nil && $0.failure == .tlsaInvalid })
        #expect(explained.contains { $0.detail.contains("differs") })
        #expect(
            explained.allSatisfy { $0.detail.contains("differs") || $0.detail.contains("too many refusals at once") })
    }
}
