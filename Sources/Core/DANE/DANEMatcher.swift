public import DNSModel
public import MailModel

/// One certificate of a presented chain, taken apart by whoever can parse it.
public struct PresentedCertificate: Hashable, Sendable {
    /// The whole certificate, DER.
    public let certificate: [UInt8]
    /// Its SubjectPublicKeyInfo, DER.
    public let publicKey: [UInt8]
    /// The first and last moments at which it is valid.
    public let validity: ClosedRange<Timestamp>
    /// Whom it is for; only the leaf's names matter.
    public let names: CertificateNames
    /// Whether the next certificate of the chain is its issuer: allowed to sign, and its signature verifies.
    public let isIssuedByNext: Bool

    /// One certificate.
    public init(
        certificate: [UInt8], publicKey: [UInt8], validity: ClosedRange<Timestamp>, names: CertificateNames,
        isIssuedByNext: Bool
    ) {
        self.certificate = certificate
        self.publicKey = publicKey
        self.validity = validity
        self.names = names
        self.isIssuedByNext = isIssuedByNext
    }

    func content(_ selector: TLSARecord.Selector) -> [UInt8] {
        selector == .cert ? self.certificate : self.publicKey
    }
}

/// The cryptography that matching borrows, since the core has none.
public struct DANEMatcherFunctions {
    /// The digest of some bytes; `nil` for a type that it does not know.
    public let digest: (TLSARecord.MatchingType, [UInt8]) -> [UInt8]?
    /// Whether the certificate or key that a `2 0 0` or `2 1 0` record holds in full issued this certificate.
    public let issued: (TLSARecord, PresentedCertificate) -> Bool

    /// Two functions; without the second an anchor must be presented by the server.
    public init(
        digest: @escaping (TLSARecord.MatchingType, [UInt8]) -> [UInt8]?,
        issued: @escaping (TLSARecord, PresentedCertificate) -> Bool = { _, _ in false }
    ) {
        self.digest = digest
        self.issued = issued
    }
}

/// Says which record a chain matches, and of each other record why it does not.
///
/// OpenSSL decides in the handshake; this explains its decision to people, and checks before a rollover that the
/// next chain matches what is published. Each distinct selector, matching type and certificate is digested once,
/// however many records there are.
public struct DANEMatcher: Hashable, Sendable {
    /// What must be matched.
    public let authentication: DANEAuthentication

    /// A matcher for one host.
    public init(_ authentication: DANEAuthentication) { self.authentication = authentication }

    /// Explains `chain`, the leaf first, at `instant`, for the first `records` records. Of the chain
    /// `DANELimits.certificates` count.
    public func explain(
        _ chain: [PresentedCertificate], at instant: Timestamp, records: Int = .max, functions: DANEMatcherFunctions
    ) -> DANEExplanation {
        var digests = DigestTable(chain: Array(chain.prefix(DANELimits.certificates)), digest: functions.digest)
        let verdicts = self.authentication.records.prefix(records).map { record in
            ExplainedRecord(record: record, verdict: self.verdict(record, &digests, instant, functions))
        }
        return DANEExplanation(records: verdicts)
    }

    private func verdict(
        _ record: TLSARecord, _ digests: inout DigestTable, _ instant: Timestamp, _ functions: DANEMatcherFunctions
    ) -> TLSAVerdict {
        guard !digests.chain.isEmpty else { return .mismatched(.noCertificate) }
        switch record.usage {
        case .daneEE:
            // Names, dates and the rest of the chain mean nothing here (RFC 7672 §3.1.1).
            return digests.matches(record, depth: 0) ? .matched(depth: 0, name: nil) : .mismatched(.differs)
        case .daneTA:
            return self.anchorVerdict(record, &digests, instant, functions)
        default:
            return .mismatched(.differs)
        }
    }

    /// An anchor issues, so it is looked for above the leaf, as OpenSSL does, and no higher than issuing goes on.
    private func anchorVerdict(
        _ record: TLSARecord, _ digests: inout DigestTable, _ instant: Timestamp, _ functions: DANEMatcherFunctions
    ) -> TLSAVerdict {
        let chain = digests.chain
        let signed = (chain.firstIndex { !$0.isIssuedByNext } ?? chain.count - 1) + 1
        let presented = (1..<max(1, chain.count)).first { digests.matches(record, depth: $0) }
        if let presented, presented < signed {
            return self.pathVerdict(chain[...presented], presented, instant)
        }
        // An anchor that stands in the record in full need not be sent.
        if record.matchingType == .full,
            let top = chain.prefix(signed).lastIndex(where: { functions.issued(record, $0) })
        {
            return self.pathVerdict(chain[...top], top + 1, instant)
        }
        return .mismatched(presented == nil ? .differs : .brokenChain(depth: signed - 1))
    }

    /// Dates of every certificate up to the anchor, then the leaf's name (RFC 7672 §3.1.2).
    private func pathVerdict(
        _ path: ArraySlice<PresentedCertificate>, _ depth: Int, _ instant: Timestamp
    ) -> TLSAVerdict {
        let leafNames = path.first?.names ?? CertificateNames(dnsNames: [])
        guard let name = leafNames.firstMatch(among: self.authentication.referenceIdentifiers) else {
            return .mismatched(.wrongName(leafNames))
        }
        for (depth, certificate) in path.enumerated() {
            if instant < certificate.validity.lowerBound { return .mismatched(.notYetValid(depth: depth)) }
            if instant > certificate.validity.upperBound { return .mismatched(.expired(depth: depth)) }
        }
        return .matched(depth: depth, name: name)
    }
}

/// The content to compare with, computed when first needed.
private struct DigestTable {
    private struct Key: Hashable {
        let selector: TLSARecord.Selector
        let matchingType: TLSARecord.MatchingType
        let depth: Int
    }

    let chain: [PresentedCertificate]
    let digest: (TLSARecord.MatchingType, [UInt8]) -> [UInt8]?
    private var known: [Key: [UInt8]] = [:]

    init(
        chain: [PresentedCertificate], digest: @escaping (TLSARecord.MatchingType, [UInt8]) -> [UInt8]?
    ) {
        self.chain = chain
        self.digest = digest
    }

    mutating func matches(_ record: TLSARecord, depth: Int) -> Bool {
        let content = self.chain[depth].content(record.selector)
        guard record.matchingType != .full else { return content == record.associationData }
        let key = Key(selector: record.selector, matchingType: record.matchingType, depth: depth)
        if let digest = self.known[key] { return digest == record.associationData }
        guard let digest = self.digest(record.matchingType, content) else { return false }
        self.known[key] = digest
        return digest == record.associationData
    }
}
