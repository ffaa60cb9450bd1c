package import MailModel
package import RelayConfiguration
package import Routing
import SecureResolver

// How a node with these settings finds hosts.

extension RelaydConfiguration {
    var resolverSettings: SecureResolverSettings {
        var settings = SecureResolverSettings()
        settings.trustAnchors = self.resolver.trustAnchorFiles.map { .file($0) }
        settings.rootHints = self.resolver.rootHints
        settings.forwarders = self.resolver.forwarders.map { .init($0.address, port: $0.port) }
        settings.stubZones = self.resolver.stubs.map { stub in
            .init(stub.zone, servers: stub.servers.map { .init($0.address, port: $0.port) })
        }
        settings.options = self.resolver.options.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) }
        settings.unvalidatedDomains = self.resolver.unvalidatedDomains.map { .init($0.domain, until: $0.until.start) }
        settings.cacheEntries = self.resolver.cacheEntries
        settings.queryDeadline = self.resolver.timeout
        settings.isLockedIn = self.resolver.sandbox == .required
        return settings
    }

    /// - Parameter interfaces: the addresses of this machine, which a listener on all of them covers.
    package func routePolicy(interfaces: [IPAddress]) -> RoutePolicy {
        var policy = RoutePolicy()
        // An MX that is ourselves would send the mail round in circles (RFC 5321 §5.1).
        policy.ownNames = Set(self.smtp.listeners.map { self.hostName(of: $0) } + [self.node.name])
        policy.ownAddresses = self.ownAddresses(interfaces: interfaces)
        policy.allowsLoopback = self.delivery.allowsLoopback
        policy.families =
            switch self.delivery.addressPreference {
            case .ipv6First, .ipv4First: .both
            case .ipv6Only: .ipv6
            case .ipv4Only: .ipv4
            }
        policy.insecureMX = self.delivery.insecureMX
        return policy
    }

    /// Where mail comes back to this node: what its listeners listen on, and what the operator adds.
    private func ownAddresses(interfaces: [IPAddress]) -> Set<IPAddress> {
        let listening = self.smtp.listeners.flatMap { listener -> [IPAddress] in
            guard listener.address.address.isUnspecified else { return [listener.address.address] }
            // A socket on :: takes IPv4 connections too.
            return listener.address.address.isIPv6 ? interfaces : interfaces.filter { !$0.isIPv6 }
        }
        return Set((listening + self.delivery.ownAddresses).map(\.unmapped))
    }
}
