public import MailModel

/// Who receives, as far as limits are concerned: all domains with the same mail exchangers are one site, however many
/// they are (DESIGN §4).
public enum ReceivingSite: Hashable, Sendable {
    /// The hosts that a rule of the operator's brings together.
    case named(DomainPattern)
    /// These mail exchangers, in alphabetical order.
    case hosts([DomainName])
    /// A configured address.
    case address(IPAddress)
}

/// What one site is to be spared, for each of our addresses.
public struct SiteLimit: Hashable, Sendable {
    /// The most connections open at once.
    public var connections: Int
    /// The most messages a minute; 0 for any number.
    public var messagesPerMinute: Int
    /// Content may go by BDAT, where a host offers that.
    public var usesChunking = true

    /// A limit.
    public init(connections: Int, messagesPerMinute: Int = 0) {
        self.connections = connections
        self.messagesPerMinute = messagesPerMinute
    }
}

/// The limits of all sites: one for most, and rules for some.
public struct SiteLimits: Hashable, Sendable {
    /// What holds for the hosts of a pattern, which together are one site.
    public typealias Rule = PatternRule<SiteLimit>

    private let usual: SiteLimit
    private let rules: [Rule]

    /// Of several rules for a host, the first counts.
    public init(_ usual: SiteLimit, rules: [Rule] = []) {
        self.usual = usual
        self.rules = rules
    }

    /// The site of these mail exchangers: that of the first rule about any of them, else they themselves.
    public func site(of hosts: [DomainName]) -> ReceivingSite {
        let rule = self.rules.first { rule in hosts.contains(where: rule.pattern.matches) }
        return rule.map { .named($0.pattern) } ?? .hosts(hosts)
    }

    /// What holds for a site.
    public subscript(site: ReceivingSite) -> SiteLimit {
        guard case .named(let pattern) = site else { return self.usual }
        return self.rules.first { $0.pattern == pattern }?.value ?? self.usual
    }
}
