public import DNSModel

/// What judging one host may cost, whatever its domain publishes and it presents; docs/limits.md says what happens beyond.
public enum DANELimits {
    /// Certificates of a presented chain that count, the leaf first. No server needs a longer chain.
    public static let certificates = 10
    /// Records of each usage that hold a whole certificate or key (matching type 0) and count. Each has to be parsed, and
    /// a key under DANE-TA is tried by a signature check.
    public static let fullRecords = 8
    /// Signature checks of a handshake's verification, in all orders of the chain together: those of the longest chain,
    /// twice.
    public static let signatureChecks = 2 * (certificates + fullRecords)
    /// Orders of a chain that are looked for beyond the first.
    public static let alternativePaths = 8
    /// Records of a failed handshake that are explained one by one, each against `certificates` at the most.
    public static let explainedRecords = 8
}

extension DANEAuthentication {
    /// The records that a chain is held against: all but those with full data beyond `DANELimits.fullRecords` of a usage.
    ///
    /// Any one record that matches is enough (rule 18), so leaving one out can only withhold a match. It never makes one,
    /// and it never takes back the duty to authenticate.
    public var countedRecords: [TLSARecord] {
        var budget = FullRecordBudget()
        return self.records.filter { $0.matchingType != .full || budget.take($0.usage) }
    }
}

/// Counts records with full data, by usage.
struct FullRecordBudget {
    private var taken: [TLSARecord.CertificateUsage: Int] = [:]

    /// Whether one more of this usage may be looked at; if so, it is counted.
    mutating func take(_ usage: TLSARecord.CertificateUsage) -> Bool {
        guard self.taken[usage, default: 0] < DANELimits.fullRecords else { return false }
        self.taken[usage, default: 0] += 1
        return true
    }
}
