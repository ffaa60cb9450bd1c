public import DNSModel
public import SecureResolver
public import Telemetry

/// Record types, by their names in zone files.
extension DNSQuestion.RecordType: MetricLabels {
    public var pairs: [(name: String, value: String)] { [("type", "\(self)".uppercased())] }
}

/// Why a process of the resolver was replaced.
extension ResolverCounters.Death: MetricLabel {
    public static let labelName = "reason"
}

/// For which limit a look-up did not begin: that of all, of one domain, or of names that said nothing before.
extension LookupLimit: MetricLabel {
    public static let labelName = "limit"
}

/// What validation said.
package enum DNSSecurityLabel: String, MetricLabel {
    package static let labelName = "security"
    case secure, insecure, bogus, indeterminate
}

extension DNSSecurityLabel {
    init(_ security: ResolverStatistics.QueryKind.Security) {
        switch security {
        case .secure: self = .secure
        case .insecure: self = .insecure
        case .bogus: self = .bogus
        case .failed: self = .indeterminate
        }
    }
}

/// The response code, or `TIMEOUT` where there was none.
package enum DNSResponseLabel: String, MetricLabel {
    package static let labelName = "rcode"
    case noError = "NOERROR"
    case nameError = "NXDOMAIN"
    case serverFailure = "SERVFAIL"
    case refused = "REFUSED"
    case timeout = "TIMEOUT"
    case other = "OTHER"
}

extension DNSResponseLabel {
    init(_ kind: ResolverStatistics.QueryKind) {
        self = kind.rcode == "timeout" ? .timeout : DNSResponseLabel(rawValue: kind.rcode) ?? .other
    }
}

/// Levels of the validated cache; so far there is one.
package enum DNSCacheLevel: String, MetricLabel {
    package static let labelName = "level"
    case memory
}

/// How a look-up in the cache went; `joined` waited for the same question of another.
package enum DNSCacheResult: String, MetricLabel {
    package static let labelName = "result"
    case hit, miss, joined
}
