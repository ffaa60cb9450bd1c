import DeliveryQueue
package import MailModel
package import Routing
import TransportSecurity

extension TransportSettings {
    /// The name that certificates are verified for. A name that an MX record gives proves nothing, as the record may be forged.
    package func verifiedName(_ nextHop: NextHop?) -> DomainName? {
        if case .host(let name, _) = nextHop { self.name ?? name } else { self.name }
    }

    /// What is wrong with the settings of a destination with this next hop.
    fileprivate func problem(nextHop: NextHop?) -> String? {
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
            guard let problem = rule.transport.problem(nextHop: nil) else { continue }
            found.append(("delivery.destinations", "\(rule.domain): \(problem)"))
        }
        return found
    }
}
