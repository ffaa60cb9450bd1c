import DeliveryQueue
import MailModel
import RelayConfiguration
import Routing
import TransportSecurity

// What is demanded of receiving hosts, as deliveries take it.

extension RelaydConfiguration {
    var destinationRules: DestinationRules {
        var rules = DestinationRules()
        for domain in self.acceptedDomains {
            rules.acceptedDomains[domain.domain] = domain.transport.demands(nextHop: domain.nextHop)
        }
        rules.rules = self.delivery.destinations.map {
            PatternRule($0.domain, $0.transport.demands(nextHop: nil))
        }
        rules.exceptions = self.delivery.tlsExceptions.map { .init(domains: $0.domain, until: $0.until.start) }
        return rules
    }
}

extension TransportSettings {
    fileprivate func demands(nextHop: NextHop?) -> DestinationRules.Demands {
        DestinationRules.Demands(transport: self.policy(nextHop: nextHop), usesChunking: self.chunking)
    }

    private func policy(nextHop: NextHop?) -> TransportPolicy? {
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
}
