package import Admission
package import MailModel

/// One address at which clients are taken.
package struct ListenerSettings: Hashable, Sendable {
    /// The `listener` label of metrics.
    let name: String
    package let address: Endpoint
    /// Whether IPv4 clients of a socket at `::` are another listener's.
    let isIPv6Only: Bool
    /// Who says, in front of each connection, whose it is; `nil` where clients connect by themselves.
    let proxies: TrustedProxies?

    package init(name: String, address: Endpoint, isIPv6Only: Bool, proxies: TrustedProxies?) {
        self.name = name
        self.address = address
        self.isIPv6Only = isIPv6Only
        self.proxies = proxies
    }
}

/// Who may say, in front of a connection, whose it is.
package struct TrustedProxies: Hashable, Sendable {
    let networks: [CIDRBlock]
    /// Time for a whole header.
    let headerTime: Duration

    package init(networks: [CIDRBlock], headerTime: Duration) {
        self.networks = networks
        self.headerTime = headerTime
    }
}
