import MailModel

/// Which addresses are one client: those that have so many leading bits in common (`smtp.client-prefix-*`).
struct ClientNetworks: Hashable, Sendable {
    /// Leading bits of an IPv4 address.
    var prefixIPv4 = 32
    /// Leading bits of an IPv6 address; a host usually has all of a /64 to itself.
    var prefixIPv6 = 64

    /// The client behind an address: the first address of its network. An IPv4-mapped address is the IPv4 address.
    func client(of address: IPAddress) -> IPAddress {
        address.network(ipv4: self.prefixIPv4, ipv6: self.prefixIPv6)
    }
}
