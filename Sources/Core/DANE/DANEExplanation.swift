public import DNSModel
public import MailModel

/// What `DANEMatcher` found, record by record.
public struct DANEExplanation: Hashable, Sendable {
    /// The usable records that were asked for, in the order given.
    public let records: [ExplainedRecord]

    /// The first record that matches; one is enough (rule 18).
    public var match: ExplainedRecord? {
        self.records.first { if case .matched = $0.verdict { true } else { false } }
    }

    /// Why the chain is refused, or `nil` when a record matches: 4.7.322 where a DANE-TA record would match, had the certificate
    /// not expired; else 4.7.323 (rule 19).
    public var fault: FailureReason? {
        guard self.match == nil else { return nil }
        let expired = self.records.contains { if case .mismatched(.expired) = $0.verdict { true } else { false } }
        return expired ? .certificateExpired : .tlsaInvalid
    }
}

/// One record and what became of it.
public struct ExplainedRecord: Hashable, Sendable {
    /// The record.
    public let record: TLSARecord
    /// Whether it matches.
    public let verdict: TLSAVerdict
}

/// Whether one record matches a chain.
public enum TLSAVerdict: Hashable, Sendable {
    /// The certificate at this depth, 0 being the leaf, matches, under this reference identifier (DANE-TA only). A
    /// depth beyond the chain is an anchor that stands in the record in full.
    case matched(depth: Int, name: DomainName?)
    /// It does not.
    case mismatched(TLSAMismatch)
}

/// Why one record does not match.
public enum TLSAMismatch: Hashable, Sendable {
    /// The peer presented nothing.
    case noCertificate
    /// No certificate that the record may be about has this content.
    case differs
    /// The anchor was presented, but the certificate at this depth was not issued by the one above it.
    case brokenChain(depth: Int)
    /// The anchor matches, but the certificate at this depth is not valid yet.
    case notYetValid(depth: Int)
    /// The anchor matches, but the certificate at this depth has expired.
    case expired(depth: Int)
    /// The anchor matches, but the leaf is for other names.
    case wrongName(CertificateNames)
}
