package import Admission
package import Cryptography
package import DeliveryQueue
package import MailModel
package import RelayConfiguration
import Routing
import TransportSecurity

extension RelaydConfiguration {
    /// What a node with these settings serves by.
    ///
    /// - Parameters:
    ///   - lists: by accepted domain, where there is one.
    ///   - authorities: those that the settings name, by file.
    package func stateContent(
        lists: [DomainName: RecipientList] = [:], users: UserCredentials? = nil,
        certificates: [ServerCertificate] = [], authorities: [String: [Certificate]] = [:]
    ) throws(NodeStateError) -> NodeStateContent {
        var content = NodeStateContent()
        let domains = self.acceptedDomains.map { ($0.domain, $0.served(lists[$0.domain])) }
        content.domains = Dictionary(domains) { first, _ in first }
        content.users = users
        content.certificates = certificates.enumerated().map { slot, certificate in
            NamedCertificate(name: "tls.certificates[\(slot)]", certificate)
        }
        content.relayNetworks = self.hasController ? [] : self.relayNetworks
        content.postmaster = self.postmaster.flatMap { Mailbox($0) }
        if let address = self.postmaster, content.postmaster == nil {
            throw NodeStateError(description: "dsn.postmaster is not a mailbox: \(address)")
        }
        content.requiresCertificate = self.tls.required
        content.destinations = self.destinationRules
        content.authorities = authorities
        return content
    }

    /// What is demanded of deliveries, beside what is stated of accepted domains.
    var destinationRules: DestinationRules {
        DestinationRules(
            rules: self.delivery.destinations.map {
                PatternRule($0.domain, $0.transport.demands(nextHop: nil))
            },
            exceptions: self.delivery.tlsExceptions.map { .init(domains: $0.domain, until: $0.until.start) })
    }

    package var siteLimits: SiteLimits {
        var usual = SiteLimit(
            connections: self.delivery.maxConnectionsPerSite, messagesPerMinute: self.delivery.siteRate)
        usual.usesChunking = self.delivery.chunking
        let rules = self.delivery.sites.map { rule in
            var limit = SiteLimit(
                connections: rule.maxConnections ?? usual.connections,
                messagesPerMinute: rule.rate ?? usual.messagesPerMinute)
            limit.usesChunking = rule.chunking ?? usual.usesChunking
            return SiteLimits.Rule(rule.mx, limit)
        }
        return SiteLimits(usual, rules: rules)
    }
}

/// Why settings make no state.
package struct NodeStateError: Error, CustomStringConvertible {
    package let description: String
}

extension AcceptedDomainSettings {
    /// - Parameter list: that of its file, where one is named.
    fileprivate func served(_ list: RecipientList?) -> AcceptedDomain {
        let verification: RecipientVerification? =
            switch self.recipients {
            case .any: nil
            case .file: list.map { .list($0) }
            case .callAhead: .callAhead
            }
        return AcceptedDomain(
            nextHop: self.nextHop, verification: verification, demands: self.transport.demands(nextHop: self.nextHop))
    }
}

extension TransportSettings {
    func demands(nextHop: NextHop?) -> DestinationDemands {
        DestinationDemands(transport: self.policy(nextHop: nextHop), usesChunking: self.chunking)
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
