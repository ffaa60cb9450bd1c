public import DNSModel

/// Counters of one resolver, read as a whole. All but `cacheEntries` and `queriesUnderWay` only grow.
public struct ResolverStatistics: Hashable, Sendable {
    /// How an upstream query ended, as the labels of `dns_queries_total` tell it.
    public struct QueryKind: Hashable, Sendable {
        /// The DNSSEC verdict.
        public enum Security: String, Hashable, Sendable {
            case secure, insecure, bogus
            /// There was no answer to judge.
            case failed
        }

        /// The type asked for.
        public let type: DNSQuestion.RecordType
        /// The verdict.
        public let security: Security
        /// The RCODE by its name, such as `NOERROR`; `timeout` or `error` when none came.
        public let rcode: String

        /// One set of labels.
        public init(type: DNSQuestion.RecordType, security: Security, rcode: String) {
            self.type = type
            self.security = security
            self.rcode = rcode
        }
    }

    /// Queries given to libunbound, by how they ended.
    public var queries: [QueryKind: UInt64] = [:]
    /// The time that those queries took, added up, and thus their average.
    public var queryTime: [DNSQuestion.RecordType: Duration] = [:]
    /// What has become of the processes that look up.
    public var processes = ResolverCounters()
    /// Questions answered from the cache.
    public var cacheHits: UInt64 = 0
    /// Questions that joined a query under way.
    public var cacheJoins: UInt64 = 0
    /// Questions that began a query.
    public var cacheMisses: UInt64 = 0
    /// Questions refused since too many were under way, by the limit.
    public var refusals: [LookupLimit: UInt64] = [:]
    /// Answers dropped before their time to stay within the limits.
    public var cacheEvictions: UInt64 = 0
    /// Answers in the cache now.
    public var cacheEntries = 0
    /// Queries that wait for libunbound now.
    public var queriesUnderWay = 0

    /// No events yet.
    public init() {}
}

extension ResolverStatistics.QueryKind {
    init(_ type: DNSQuestion.RecordType, _ outcome: QueryOutcome, _ answer: DNSAnswer) {
        let security: Security =
            switch answer {
            case .found(_, .secure, _), .absent(_, .secure, _): .secure
            case .found(_, .insecure, _), .absent(_, .insecure, _): .insecure
            case .failed(.bogus): .bogus
            case .failed: .failed
            }
        let rcode =
            switch outcome {
            case .answered(let raw): Self.name(ofRCode: raw.rcode)
            case .timedOut: "timeout"
            case .unavailable, .excessive: "error"
            }
        self.init(type: type, security: security, rcode: rcode)
    }

    /// The names of RFC 1035 §4.1.1; the others share one, so that metrics stay few.
    private static func name(ofRCode rcode: Int) -> String {
        let names = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]
        return names.indices.contains(rcode) ? names[rcode] : "OTHER"
    }
}
