import DeliveryQueue
import MailModel
import TransportSecurity

// What is demanded of receiving hosts, as deliveries take it.

extension RelaydConfiguration {
    var destinationRules: DestinationRules {
        var rules = DestinationRules()
        for domain in self.acceptedDomains {
            rules.acceptedDomains[domain.domain] = domain.transport.demands(nextHop: domain.nextHop)
        }
        rules.rules = self.delivery.destinations.map {
            PatternRule($0.domain, $0.transport.demands(nextHop: .mx))
        }
        rules.exceptions = self.delivery.tlsExceptions.map { .init(domains: $0.domain, until: $0.until.start) }
        return rules
    }
}

extension TransportSettings {
    fileprivate func demands(nextHop: ConfiguredNextHop) -> DestinationRules.Demands {
        DestinationRules.Demands(transport: self.policy(nextHop: nextHop), usesChunking: self.chunking)
    }

    private func policy(nextHop: ConfiguredNextHop) -> TransportPolicy? {
        switch self.tls {
        case nil: return nil
        case .opportunistic: return .opportunistic
        case .encrypt: return .encrypt
        case .dane: return .dane
        case .verify:
            guard let name = self.verifiedName(nextHop) else {
                preconditionFailure("the loader refuses tls: verify without a name")
            }
            return .verify(
                CertificateVerification(name: name, authorities: self.authorityFile.map { .file($0) } ?? .system))
        }
    }

    /// The name that certificates are verified for. A name that an MX record gives proves nothing, as the record may be forged.
    private func verifiedName(_ nextHop: ConfiguredNextHop) -> DomainName? {
        if case .host(let name, _) = nextHop { self.name ?? name } else { self.name }
    }

    /// What is wrong with the settings of a destination with this next hop.
    fileprivate func problem(nextHop: ConfiguredNextHop) -> String? {
        if self.tls != .verify, self.name != nil || self.authorityFile != nil {
            return "tls-name and tls-ca-file are for tls: verify"
        }
        if self.tls == .verify, self.verifiedName(nextHop) == nil {
            return "tls: verify needs tls-name, as its hosts are found by MX or have no name"
        }
        return nil
    }
}

extension ConfigurationSchema {
    /// What must hold between the settings of one destination.
    static func transportInconsistencies(in configuration: RelaydConfiguration) -> [(key: String, message: String)] {
        var found: [(key: String, message: String)] = []
        for domain in configuration.acceptedDomains {
            if let problem = domain.transport.problem(nextHop: domain.nextHop) {
                found.append(("accepted-domains", "\(domain.domain): \(problem)"))
            }
            let rule = configuration.delivery.destinations.first { $0.domain.matches(domain.domain) }
            if case .address = domain.nextHop, (domain.transport.tls ?? rule?.transport.tls) == .dane {
                found.append(("accepted-domains", "\(domain.domain): tls: dane needs a next hop with a name"))
            }
        }
        for rule in configuration.delivery.destinations {
            guard let problem = rule.transport.problem(nextHop: .mx) else { continue }
            found.append(("delivery.destinations", "\(rule.domain): \(problem)"))
        }
        return found
    }
}
