package import Cryptography
package import MailModel
import RelayConfiguration
import Routing

// What only this machine, or a file, can tell of the settings.

extension LoadedConfiguration {
    /// Next hops that are listeners of this node: mail for their domains would go round until it is refused.
    ///
    /// - Parameter interfaces: the addresses of this machine, which a listener on all of them covers.
    func ownNextHops(interfaces: [IPAddress]) -> [ConfigurationProblem] {
        self.configuration.acceptedDomains.enumerated().compactMap { index, domain in
            guard let nextHop = domain.nextHop,
                let listener = self.configuration.listener(at: nextHop, interfaces: interfaces)
            else { return nil }
            return self.problem(
                with: "accepted-domains", element: "[\(index)].next-hop",
                """
                \(nextHop.settingText) is this node's own listener \(listener.address): mail for \(domain.domain) would come back \
                to it; name the server that holds the mailboxes
                """)
        }
    }

    /// What the certificates do not cover.
    func warnings(of certificates: [ServerCertificate]) -> [ConfigurationProblem] {
        // The controller's are not known here.
        if self.configuration.hasController { return [] }
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

extension ServerCertificate {
    /// Whether it names this host, by itself or by a wildcard for one label (RFC 9525 §6.3).
    package func covers(_ name: DomainName) -> Bool {
        let text = name.text.lowercased()
        let parent = text.drop { $0 != "." }
        return self.names.contains { $0 == text || ($0.hasPrefix("*.") && $0.dropFirst() == parent) }
    }
}
