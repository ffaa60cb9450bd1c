import DeliveryQueue
public import MailModel
public import RelayConfiguration
import TransportSecurity

/// An entry of the settings that lets mail for some domain go without what is usually demanded.
public struct ConfiguredException: Hashable, Sendable {
    /// As it is written: a name, or `*.` and a name.
    public let domain: String
    /// What counts without it: `dnssec`, or the values of `tls` that the settings have for the domains, each once.
    public let policies: [String]
    public let reason: String
    /// The first day on which it has no effect, as 2027-01-31.
    public let until: String
    /// That day has come.
    public let isExpired: Bool
    /// Its place in the settings, such as `delivery.tls-exceptions[0]`.
    public let key: String
    public let source: ConfigurationProblem.Source
}

extension LoadedConfiguration {
    /// All exceptions that the operator made, those from TLS first.
    public func exceptions(at now: Timestamp) -> [ConfiguredException] {
        func exception(
            _ key: String, _ index: Int, _ domain: String, _ policies: [String], _ reason: String, _ until: CalendarDay
        ) -> ConfiguredException {
            ConfiguredException(
                domain: domain, policies: policies, reason: reason, until: "\(until)", isExpired: now >= until.start,
                key: "\(key)[\(index)]", source: self.sources[key] ?? .defaults)
        }
        let rules = self.configuration.destinationRules
        let accepted = Dictionary(
            self.configuration.acceptedDomains.map { ($0.domain, $0.transport.demands(nextHop: $0.nextHop)) }
        ) { first, _ in first }
        return self.configuration.delivery.tlsExceptions.enumerated().map { index, entry in
            exception(
                "delivery.tls-exceptions", index, "\(entry.domain)",
                rules.statedPolicies(for: entry.domain, accepted: accepted).map(\.word),
                entry.reason, entry.until)
        }
            + self.configuration.resolver.unvalidatedDomains.enumerated().map { index, entry in
                exception(
                    "resolver.unvalidated-domains", index, "\(entry.domain)", ["dnssec"], entry.reason, entry.until)
            }
    }
}

extension TransportPolicy {
    /// The value of `tls` that demands it, with the name that is verified.
    fileprivate var word: String {
        switch self {
        case .opportunistic: Keyword.opportunistic.rawValue
        case .encrypt: Keyword.encrypt.rawValue
        case .dane: Keyword.dane.rawValue
        case .verify(let verification): "\(Keyword.verify.rawValue) \(verification.name)"
        case .excepted: "excepted"
        }
    }
}
