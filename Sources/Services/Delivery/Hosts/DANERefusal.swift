import Cryptography
import DANE
import DNSModel
import MailModel
import TLSEngine
import TransportSecurity

/// Why a host's certificates match none of its TLSA records. Each record has its reason. The record that would match is
/// for its operator to publish, or to see which key is deployed.
///
/// `DANELimits` bounds what it looks at; more is only counted. Parsing keys and checking signatures still takes some
/// milliseconds, so it is made on a thread, and not on an event loop.
struct DANERefusal: Hashable, Sendable {
    /// What it took, each counted once for every time that it was done.
    struct Work: Hashable, Sendable {
        /// Certificates of the chain, and certificates and keys of records.
        var parsed = 0
        var signatureChecks = 0
    }

    let text: String
    let work: Work

    init(_ refused: RefusedChain, at now: Timestamp) {
        let authentication = refused.authentication
        let chain = Array(refused.chain.prefix(DANELimits.certificates))
        let parser = Parser()
        let functions = DANEMatcherFunctions(digest: Digests.digest, issued: parser.isIssued)
        let explanation = DANEMatcher(authentication).explain(
            parser.presented(chain), at: now, records: DANELimits.explainedRecords, functions: functions)
        let reasons = explanation.records.compactMap { explained -> String? in
            guard case .mismatched(let mismatch) = explained.verdict else { return nil }
            return "\(explained.record): \(mismatch.words)"
        }
        let untold = authentication.records.count - explanation.records.count
        let more = untold > 0 ? ", and \(untold) more records" : ""
        let leaf = chain.first.map { "; presented 3 1 1 \(Self.hexadecimal(Digests.sha256($0.subjectPublicKeyInfo)))" }
        self.text = reasons.joined(separator: ", ") + more + (leaf ?? "")
        self.work = parser.work
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}

/// A chain that was refused, and what it was held against.
struct RefusedChain: Hashable, Sendable {
    let authentication: DANEAuthentication
    let chain: [PeerCertificate]

    /// `nil` unless the handshake was complete and the chain matched nothing.
    init?(_ outcome: TLSClientOutcome, _ requirement: AttemptRequirement) {
        guard case .mustAuthenticate(let authentication) = requirement.tls, case .failed(_, let chain) = outcome,
            !chain.isEmpty
        else { return nil }
        self.init(authentication, chain)
    }

    init(_ authentication: DANEAuthentication, _ chain: [PeerCertificate]) {
        self.authentication = authentication
        self.chain = chain
    }
}

/// Parses each certificate and each key once.
private final class Parser {
    private(set) var work = DANERefusal.Work()
    private var certificates: [[UInt8]: Certificate] = [:]
    /// `nil` where a record holds nothing that can be read.
    private var anchors: [TLSARecord: HeldAnchor?] = [:]

    func presented(_ chain: [PeerCertificate]) -> [PresentedCertificate] {
        for value in chain where self.certificates[value.der] == nil {
            self.work.parsed += 1
            self.certificates[value.der] = try? Certificate(der: value.der)
        }
        return chain.indices.map { index in
            let value = chain[index]
            // A peer can present a certificate that ends before it begins; a range cannot say that, and it is expired.
            let start = min(value.notBefore, value.notAfter)
            return PresentedCertificate(
                certificate: value.der, publicKey: value.subjectPublicKeyInfo, validity: start...value.notAfter,
                names: CertificateNames(dnsNames: value.dnsNames, commonName: value.commonName),
                isIssuedByNext: index + 1 < chain.count && self.isIssued(value, by: chain[index + 1]))
        }
    }

    private func isIssued(_ lower: PeerCertificate, by upper: PeerCertificate) -> Bool {
        guard let lower = self.certificates[lower.der], let upper = self.certificates[upper.der] else { return false }
        self.work.signatureChecks += 1
        return lower.isIssued(by: upper)
    }

    /// Whether the anchor that stands in `record` signed `certificate`.
    func isIssued(_ record: TLSARecord, _ certificate: PresentedCertificate) -> Bool {
        if self.anchors[record] == nil {
            self.work.parsed += 1
            self.anchors.updateValue(HeldAnchor(record), forKey: record)
        }
        guard let anchor = self.anchors[record] ?? nil, let lower = self.certificates[certificate.certificate] else {
            return false
        }
        self.work.signatureChecks += 1
        return anchor.issued(lower)
    }
}

extension Digests {
    /// By its number in a record; `nil` for one that is unknown.
    fileprivate static func digest(_ type: TLSARecord.MatchingType, _ bytes: [UInt8]) -> [UInt8]? {
        switch type {
        case .sha256: Self.sha256(bytes)
        case .sha512: Self.sha512(bytes)
        default: nil
        }
    }
}

extension TLSAMismatch {
    /// The reason in words.
    fileprivate var words: String {
        switch self {
        case .noCertificate: "no certificate was presented"
        case .differs: "differs"
        case .brokenChain(let depth): "the certificate at depth \(depth) was not issued by the one above it"
        case .notYetValid(let depth): "the certificate at depth \(depth) is not valid yet"
        case .expired(let depth): "the certificate at depth \(depth) has expired"
        case .wrongName(let names):
            "the certificate is for \(names.dnsNames.prefix(3).map { String($0.prefix(64)) }.joined(separator: " "))"
        }
    }
}
