package import Admission
package import Cryptography
package import DeliveryQueue
package import MailModel
package import TLSEngine

/// What a node serves by, as its source has it: settings with their files, or a controller. A `NodeState` comes from this alone, so
/// that both sources mean the same.
package struct NodeStateContent: Sendable {
    /// The domains whose mail is taken from anyone.
    package var domains: [DomainName: AcceptedDomain] = [:]
    /// Those that may relay after AUTH; `nil` where AUTH is not offered.
    package var users: UserCredentials?
    /// In the order of their slots.
    package var certificates: [NamedCertificate] = []
    /// Networks that may relay to anywhere.
    package var relayNetworks: [CIDRBlock] = []
    /// Where the bare `<Postmaster>` goes; `nil` where no such mail is taken.
    package var postmaster: Mailbox?
    /// Whether a node is ready only with a certificate in its dates.
    package var requiresCertificate = true
    package var destinations = DestinationRules()
    /// The authorities that demands name, by the names that they have there.
    package var authorities: [String: [Certificate]] = [:]

    package init() {}
}

/// A certificate, and what an operator knows it by.
package struct NamedCertificate: Sendable {
    /// Such as `tls.certificates[0]`.
    package let name: String
    package let certificate: ServerCertificate

    package init(name: String, _ certificate: ServerCertificate) {
        self.name = name
        self.certificate = certificate
    }
}

/// What a node serves by that is its own, wherever the rest comes from.
package struct LocalState: Sendable {
    /// The clients to recognise by their certificates; without this none is asked for one.
    package var clients: RecognisedClients?
    package var sites: SiteLimits

    package init(clients: RecognisedClients? = nil, sites: SiteLimits) {
        self.clients = clients
        self.sites = sites
    }
}

extension NodeState {
    /// The state that content makes of a node.
    ///
    /// - Parameter current: a state with the same local part. What it has of TLS is taken over where the content has the same
    ///   certificates and authorities, so that sessions of clients can be resumed.
    package init(
        _ content: NodeStateContent, _ local: LocalState, replacing current: NodeState? = nil
    ) throws(TLSConfigurationError) {
        self.init(
            policy: InboundPolicy(
                domains: content.domains, relayNetworks: content.relayNetworks, postmaster: content.postmaster),
            users: content.users, certificates: try content.served(to: local.clients, replacing: current?.certificates),
            requiresCertificate: content.requiresCertificate, destinations: content.destinations, sites: local.sites,
            tls: try content.clientContext(replacing: current?.tls))
    }
}

extension NodeStateContent {
    fileprivate func served(
        to clients: RecognisedClients?, replacing current: ServedCertificates?
    ) throws(TLSConfigurationError) -> ServedCertificates? {
        guard !self.certificates.isEmpty else { return nil }
        let (names, certificates) = (self.certificates.map(\.name), self.certificates.map(\.certificate))
        if let current, current.names == names, current.certificates.elementsEqual(certificates, by: ===) {
            return current
        }
        return try ServedCertificates(certificates, names: names, clients: clients)
    }

    fileprivate func clientContext(
        replacing current: TLSClientContext?
    ) throws(TLSConfigurationError) -> TLSClientContext {
        if let current, current.authorityNames == Set(self.authorities.keys) { return current }
        return try TLSClientContext(authorities: self.authorities)
    }
}
