import DANE
import MailModel
import TLSEngine

/// Says why a host's certificates match none of its TLSA records: each record with its reason, and the record that would
/// match, for its operator to publish or to see which key is deployed.
enum DANERefusal {
    /// Records that are told one by one: what a host publishes and presents goes into traces and logs.
    private static let toldRecords = 8

    static func text(_ authentication: DANEAuthentication, chain: [PeerCertificate], at now: Timestamp) -> String {
        let presented = Self.presented(chain)
        let functions = DANEMatcherFunctions(
            digest: { type, bytes in
                switch type {
                case .sha256: Digests.sha256(bytes)
                case .sha512: Digests.sha512(bytes)
                default: nil
                }
            },
            issued: { record, certificate in
                (try? Certificate(der: certificate.certificate))?.isIssued(by: record) ?? false
            })
        let explanation = DANEMatcher(authentication).explain(presented, at: now, functions: functions)
        let reasons = explanation.records.compactMap { explained -> String? in
            guard case .mismatched(let mismatch) = explained.verdict else { return nil }
            return "\(explained.record): \(mismatch.words)"
        }
        let leaf = chain.first.map { "; presented 3 1 1 \(Self.hexadecimal(Digests.sha256($0.subjectPublicKeyInfo)))" }
        let more = reasons.count > Self.toldRecords ? ", and \(reasons.count - Self.toldRecords) more records" : ""
        return reasons.prefix(Self.toldRecords).joined(separator: ", ") + more + (leaf ?? "")
    }

    private static func presented(_ chain: [PeerCertificate]) -> [PresentedCertificate] {
        let certificates = chain.map { try? Certificate(der: $0.der) }
        return chain.indices.map { index in
            let value = chain[index]
            let next = index + 1 < chain.count ? certificates[index + 1] : nil
            let isIssued = certificates[index].flatMap { lower in next.map { lower.isIssued(by: $0) } } ?? false
            // A peer can present a certificate that ends before it begins; a range cannot say that, and it is expired.
            let start = min(value.notBefore, value.notAfter)
            return PresentedCertificate(
                certificate: value.der, publicKey: value.subjectPublicKeyInfo, validity: start...value.notAfter,
                names: CertificateNames(dnsNames: value.dnsNames, commonName: value.commonName),
                isIssuedByNext: isIssued)
        }
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
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
