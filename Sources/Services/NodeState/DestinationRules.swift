package import DeliveryQueue
package import MailModel
package import TransportSecurity

/// What the operator demands of deliveries to some recipient domains, beside what is stated of accepted domains: of TLS, and of
/// BDAT.
///
/// It goes by recipient domain and not by mail exchanger, for which host is one is the DNS's word, which may be forged.
package struct DestinationRules: Hashable, Sendable {
    /// Nothing is demanded of some domains until then, whatever DANE says.
    package struct Exception: Hashable, Sendable {
        package let domains: DomainPattern
        package let until: Timestamp

        package init(domains: DomainPattern, until: Timestamp) {
            self.domains = domains
            self.until = until
        }
    }

    /// Of those that match, the first counts.
    package var rules: [PatternRule<DestinationDemands>]
    /// They come before everything.
    package var exceptions: [Exception]

    /// None unless given.
    package init(rules: [PatternRule<DestinationDemands>] = [], exceptions: [Exception] = []) {
        self.rules = rules
        self.exceptions = exceptions
    }

    /// What is demanded of hosts for this domain now.
    ///
    /// - Parameter own: what is stated of the domain itself, which comes before rules.
    package func transport(
        to domain: DomainName, stating own: DestinationDemands?, at now: Timestamp
    ) -> TransportPolicy {
        if self.exceptions.contains(where: { now < $0.until && $0.domains.matches(domain) }) { return .excepted }
        return own?.transport ?? self.rules.first(about: domain)?.transport ?? .opportunistic
    }

    /// Whether content for this domain may go by BDAT; `nil` where nothing is stated.
    package func usesChunking(to domain: DomainName, stating own: DestinationDemands?) -> Bool? {
        own?.usesChunking ?? self.rules.first(about: domain)?.usesChunking
    }
}

extension DestinationRules {
    /// What is demanded of TLS for the domains of a pattern but for exceptions, each once. That of accepted domains
    /// comes first, and then that of rules, down to the first one that is about all of them.
    ///
    /// - Parameter accepted: what is stated of accepted domains.
    func statedPolicies(
        for domains: DomainPattern, accepted: [DomainName: DestinationDemands]
    ) -> [TransportPolicy] {
        var found: [TransportPolicy] = []
        func add(_ policy: TransportPolicy?) {
            let policy = policy ?? .opportunistic
            if !found.contains(policy) { found.append(policy) }
        }
        for (domain, demands) in accepted.sorted(by: { $0.key < $1.key }) where domains.matches(domain) {
            add(demands.transport ?? self.rules.first(about: domain)?.transport)
            // There is no other domain of that name.
            if domains == DomainPattern(domain) { return found }
        }
        for rule in self.rules where rule.pattern.covers(domains) || domains.covers(rule.pattern) {
            add(rule.value.transport)
            if rule.pattern.covers(domains) { return found }
        }
        add(.opportunistic)
        return found
    }
}
