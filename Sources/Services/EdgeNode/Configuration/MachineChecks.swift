import Cryptography
import MailModel

// What only this machine, or a file, can tell of the settings.

extension LoadedConfiguration {
    /// Next hops that are listeners of this node: mail for their domains would go round until it is refused.
    ///
    /// - Parameter interfaces: the addresses of this machine, which a listener on all of them covers.
    func ownNextHops(interfaces: [IPAddress]) -> [ConfigurationProblem] {
        self.configuration.acceptedDomains.enumerated().compactMap { index, domain in
            guard let listener = self.configuration.listener(at: domain.nextHop, interfaces: interfaces) else {
                return nil
            }
            return self.problem(
                with: "accepted-domains", element: "[\(index)].next-hop",
                """
                \(domain.nextHop) is this node's own listener \(listener.address): mail for \(domain.domain) would come back \
                to it; name the server that holds the mailboxes
                """)
        }
    }

    /// What the certificates do not cover.
    func warnings(of certificates: [ServerCertificate]) -> [ConfigurationProblem] {
        guard !certificates.isEmpty else {
            let health =
                "and /readyz fails (503) until there is one; name a chain and a key, or set tls.required: false"
            let consequence =
                self.configuration.tls.required ? health : "as tls.required: false allows; name a chain and a key"
            return [
                self.problem(
                    with: "tls.certificates",
                    "no certificate is configured: STARTTLS is not offered, all mail comes in clear, \(consequence)")
            ]
        }
        let names = Set(self.configuration.smtp.listeners.map { self.configuration.hostName(of: $0) })
        return names.sorted().filter { name in !certificates.contains { $0.covers(name) } }.map { name in
            let shown = certificates.flatMap(\.names).prefix(5).joined(separator: ", ")
            return self.problem(
                with: "tls.certificates",
                """
                no certificate is for \(name), the name in the greeting, but for \(shown.isEmpty ? "no name" : shown): \
                clients that check the name, as MTA-STS asks, will not send; get a certificate for it, or set node.name or \
                the listener's hostname
                """)
        }
    }
}

extension RelaydConfiguration {
    /// The listener that takes what is sent to a next hop; `nil` where that is not this node, as far as is known without the DNS.
    func listener(at nextHop: ConfiguredNextHop, interfaces: [IPAddress]) -> Listener? {
        self.smtp.listeners.first { listener in
            switch nextHop {
            case .mx: return false
            case .host(let name, let port):
                let names = [self.hostName(of: listener), self.node.name]
                return port == listener.address.port && names.contains(name)
            case .address(let endpoint):
                let own = listener.address.address
                let covered = own.isUnspecified ? interfaces + [endpoint.address].filter(\.isLoopback) : [own]
                return endpoint.port == listener.address.port
                    && covered.map(\.unmapped).contains(endpoint.address.unmapped)
                    && (!own.isUnspecified || own.isIPv6 || !endpoint.address.isIPv6)
            }
        }
    }
}

extension ServerCertificate {
    /// Whether it names this host, by itself or by a wildcard for one label (RFC 9525 §6.3).
    fileprivate func covers(_ name: DomainName) -> Bool {
        let text = name.text.lowercased()
        let parent = text.drop { $0 != "." }
        return self.names.contains { $0 == text || ($0.hasPrefix("*.") && $0.dropFirst() == parent) }
    }
}
