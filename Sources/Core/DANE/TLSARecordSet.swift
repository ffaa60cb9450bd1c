public import DNSModel

/// A secure TLSA RRset with each record judged (RFC 7672 §3.1, RFC 7671 §9).
public struct TLSARecordSet: Hashable, Sendable {
    /// Where it was found.
    public let baseDomain: TLSABaseDomain
    /// Every record, in the order of the answer.
    public let judged: [JudgedRecord]

    /// Judges `records`. `parses` says whether the data of a record of matching type Full is a certificate, or a key,
    /// by its selector. It is called for no other record, and for `DANELimits.fullRecords` of a usage. A record beyond
    /// that passes for usable, since that asks more of the host and never less.
    public init(
        _ records: [TLSARecord], at baseDomain: TLSABaseDomain,
        preference: DigestPreference = .strongestFirst, parses: (TLSARecord) -> Bool
    ) {
        self.baseDomain = baseDomain
        var budget = FullRecordBudget()
        let faults = records.map { record in
            record.unusability(parses: { budget.take($0.usage) ? parses($0) : true })
        }
        let usable = zip(records, faults).filter { $0.1 == nil }.map(\.0)
        self.judged = zip(records, faults).map { record, fault in
            if let fault { return JudgedRecord(record: record, judgement: .unusable(fault)) }
            let stronger = preference.strongest(for: record, in: usable)
            return JudgedRecord(record: record, judgement: stronger.map(TLSAJudgement.weakerDigest) ?? .usable)
        }
    }

    /// The records that count, each once; empty when all are unusable, and then TLS is mandatory (rule 14).
    public var usableRecords: [TLSARecord] {
        var seen: Set<TLSARecord> = []
        return self.judged.filter { $0.judgement == .usable && seen.insert($0.record).inserted }.map(\.record)
    }

    /// What must be equal for two deliveries to share a connection or a session (rule 26).
    public var identity: TLSARecordSetIdentity {
        TLSARecordSetIdentity(baseDomain: self.baseDomain, records: Set(self.judged.map(\.record)))
    }
}

/// Equal when two TLSA RRsets hold the same records at the same base domain, in whatever order.
public struct TLSARecordSetIdentity: Hashable, Sendable {
    let baseDomain: TLSABaseDomain
    let records: Set<TLSARecord>
}

/// One record and what it is worth.
public struct JudgedRecord: Hashable, Sendable {
    /// The record.
    public let record: TLSARecord
    /// Its worth.
    public let judgement: TLSAJudgement
}

/// What one record of a secure RRset is worth.
public enum TLSAJudgement: Hashable, Sendable {
    /// It counts.
    case usable
    /// It is set aside, for another record of its usage and selector has this stronger digest (rule 15).
    case weakerDigest(than: TLSARecord.MatchingType)
    /// It cannot be used at all.
    case unusable(TLSAUnusability)
}

/// Why a record cannot be used (rule 13).
public enum TLSAUnusability: Hashable, Sendable {
    /// Usages 0 and 1 lean on public CAs, which SMTP does not (RFC 7672 §3.1.3).
    case usageNotForSMTP
    case unknownUsage
    case unknownSelector
    case unknownMatchingType
    case emptyData
    case wrongDigestLength(expected: Int, actual: Int)
    case unparsableCertificate
    case unparsableKey
}

extension TLSARecord {
    /// Why this record is unusable for SMTP, or `nil`.
    public func unusability(parses: (TLSARecord) -> Bool) -> TLSAUnusability? {
        switch self.usage {
        case .daneTA, .daneEE: break
        case .pkixTA, .pkixEE: return .usageNotForSMTP
        default: return .unknownUsage
        }
        guard self.selector == .cert || self.selector == .spki else { return .unknownSelector }
        // The type comes before the data, so that an unknown type is reported as such whatever its data.
        guard let length = self.matchingType.dataLength else { return .unknownMatchingType }
        guard !self.associationData.isEmpty else { return .emptyData }
        if case .digest(let expected) = length, expected != self.associationData.count {
            return .wrongDigestLength(expected: expected, actual: self.associationData.count)
        }
        if length == .any, !parses(self) { return self.selector == .cert ? .unparsableCertificate : .unparsableKey }
        return nil
    }
}

extension TLSARecord.MatchingType {
    enum DataLength: Equatable {
        case any
        case digest(Int)
    }

    /// How long association data of this type is; `nil` for an unknown type.
    var dataLength: DataLength? {
        switch self {
        case .full: .any
        case .sha256: .digest(32)
        case .sha512: .digest(64)
        default: nil
        }
    }
}

/// Which digest is the strongest (RFC 7671 §9).
public struct DigestPreference: Hashable, Sendable {
    /// The digest types, strongest first; one that is missing here ranks below all that are named.
    public let order: [TLSARecord.MatchingType]

    /// An order of the operator's.
    public init(_ order: [TLSARecord.MatchingType]) { self.order = order }

    /// SHA2-512 over SHA2-256.
    public static let strongestFirst = DigestPreference([.sha512, .sha256])

    /// The strongest digest beside `record`, of its usage and selector, if that is stronger than its own.
    func strongest(for record: TLSARecord, in usable: [TLSARecord]) -> TLSARecord.MatchingType? {
        // Full data is no digest, and always counts.
        guard record.matchingType != .full else { return nil }
        let rivals = usable.filter {
            $0.usage == record.usage && $0.selector == record.selector && $0.matchingType != .full
        }
        guard let best = rivals.map(\.matchingType).min(by: { self.rank($0) < self.rank($1) }),
            self.rank(best) < self.rank(record.matchingType)
        else { return nil }
        return best
    }

    private func rank(_ type: TLSARecord.MatchingType) -> Int {
        self.order.firstIndex(of: type) ?? self.order.count
    }
}
