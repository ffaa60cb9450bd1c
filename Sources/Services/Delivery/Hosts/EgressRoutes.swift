package import DeliveryQueue
package import MailModel

/// Our egress sources: the addresses that the operator gave, or what the system chooses.
package struct EgressRoutes: Sendable {
    private let v4: [Egress]
    private let v6: [Egress]
    /// Whether a host's IPv4 addresses are tried before its IPv6 ones.
    let ipv4First: Bool

    /// - Parameter fallback: the name in EHLO where no address of a family was given.
    package init(_ given: [Egress], fallback: DomainName, ipv4First: Bool) {
        func sources(_ isOfFamily: (IPAddress) -> Bool) -> [Egress] {
            let ours = given.filter { $0.address.map(isOfFamily) ?? false }
            return ours.isEmpty ? [Egress(nil, helloName: fallback)] : ours
        }
        self.v4 = sources { !$0.isIPv6 }
        self.v6 = sources(\.isIPv6)
        self.ipv4First = ipv4First
    }

    /// All sources, by the source address, or the family where the system chooses one.
    var all: Set<EgressRoute> {
        Set(
            self.v4.map { EgressRoute(source: $0.address, isIPv6: false) }
                + self.v6.map { EgressRoute(source: $0.address, isIPv6: true) })
    }

    /// The sources to an address; at least one.
    func sources(to address: IPAddress) -> [Egress] { address.isIPv6 ? self.v6 : self.v4 }
}
