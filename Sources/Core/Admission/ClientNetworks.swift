package import MailModel

/// Which addresses are one client: those that have so many leading bits in common (`smtp.client-prefix-*`).
package struct ClientNetworks: Hashable, Sendable {
    /// Leading bits of an IPv4 address.
    package var prefixIPv4: Int
    /// Leading bits of an IPv6 address; a host usually has all of a /64 to itself.
    package var prefixIPv6: Int

    /// Networks of these lengths; an address alone in IPv4, a /64 in IPv6 unless told otherwise.
    package init(prefixIPv4: Int = 32, prefixIPv6: Int = 64) {
        self.prefixIPv4 = prefixIPv4
        self.prefixIPv6 = prefixIPv6
    }

    /// The client behind an address: the first address of its network. An IPv4-mapped address is the IPv4 address.
    package func client(of address: IPAddress) -> IPAddress {
        address.network(ipv4: self.prefixIPv4, ipv6: self.prefixIPv6)
    }
}
