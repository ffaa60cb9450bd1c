extension ConfigurationSchema {
    private typealias Key = Setting<RelaydConfiguration>

    /// Which connections are taken, before a client has said a word.
    static let connections: [Setting<RelaydConfiguration>] = [
        Key(
            "smtp.max-connections", \.smtp.maxConnections, .integer(1...1_000_000),
            "Open connections of all clients; more are answered 421 4.3.2. Each takes a file descriptor."),
        Key(
            "smtp.max-connections-per-address", \.smtp.maxConnectionsPerAddress, .integer(1...1_000_000),
            "Open connections of one client address; more are answered 421 4.7.0."),
        Key(
            "smtp.max-connection-rate", \.smtp.maxConnectionRate, .integer(0...1_000_000),
            "New connections of one client address in a minute; more are answered 421 4.7.0. 0 is no limit."),
        Key(
            "smtp.client-prefix-ipv4", \.smtp.clientPrefixIPv4, .integer(8...32),
            "Clients whose IPv4 addresses have so many leading bits in common count as one address."),
        Key(
            "smtp.client-prefix-ipv6", \.smtp.clientPrefixIPv6, .integer(16...128),
            "The same for IPv6."),
        Key(
            "smtp.proxy-networks", \.smtp.proxyNetworks, .list(.network()),
            "Proxies that listeners with proxy-protocol believe; connections from elsewhere are closed without a word."),
        Key(
            "smtp.proxy-timeout", \.smtp.proxyTimeout, .duration(second...hour),
            "Time for a proxy's header; then the connection is closed without a word."),
        Key(
            "smtp.greeting-delay", \.smtp.greetingDelay, .duration(.zero...(second * 60)),
            "Time between connection and greeting; a client that talks in it is answered 554. 0s turns this off."),
    ]
}
