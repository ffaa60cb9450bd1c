import DANE
import DNSModel
import MailModel
import TestLiterals

/// A certificate of one letter, valid and issued by the next one unless a story says otherwise.
struct Certificate {
    let letter: Character
    var validity = Timestamp(seconds: 100)...Timestamp(seconds: 1000)
    var names = ["mx.example.org"]
    var isIssuedByNext = true

    init(_ letter: Character) { self.letter = letter }

    var presented: PresentedCertificate {
        PresentedCertificate(
            certificate: Array("\(self.letter)".utf8), publicKey: Array("\(self.letter)".uppercased().utf8),
            validity: self.validity, names: CertificateNames(dnsNames: self.names),
            isIssuedByNext: self.isIssuedByNext)
    }

    /// A record that matches it.
    func record(_ usage: UInt8, _ selector: UInt8, _ type: UInt8) -> TLSARecord {
        let content = selector == 0 ? self.presented.certificate : self.presented.publicKey
        let data = type == 0 ? content : mark(.init(rawValue: type), content)
        return .record(usage, selector, type, data: data)
    }
}

extension MatcherTests {
    static let now = Timestamp(seconds: 500)
    static let longAgo = Timestamp(seconds: 100)...Timestamp(seconds: 200)
}

/// A stand-in for a digest that has its length and tells contents apart; real ones are the TLS engine's to test.
private func mark(_ type: TLSARecord.MatchingType, _ content: [UInt8]) -> [UInt8] {
    content + Array(repeating: type.rawValue, count: (type == .sha256 ? 32 : 64) - content.count)
}

/// Explains a chain at `MatcherTests.now`; `onDigest` is called for each digest computed.
func explain(
    _ records: [TLSARecord], _ chain: [Certificate], names: [DomainName] = ["mx.example.org"],
    issued: @escaping (TLSARecord, PresentedCertificate) -> Bool = { _, _ in false },
    onDigest: @escaping () -> Void = {}
) -> DANEExplanation {
    let authentication = DANEAuthentication(
        records: records, baseDomain: TLSABaseDomain("mx.example.org"), referenceIdentifiers: names)
    let functions = DANEMatcherFunctions(
        digest: { type, content in
            onDigest()
            return mark(type, content)
        }, issued: issued)
    return DANEMatcher(authentication).explain(chain.map(\.presented), at: MatcherTests.now, functions: functions)
}
