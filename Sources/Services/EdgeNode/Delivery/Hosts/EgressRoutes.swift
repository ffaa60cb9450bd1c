import DeliveryQueue
import MailModel

/// Our egress sources: the addresses that the operator gave, or what the system chooses.
struct EgressRoutes: Sendable {
    private let v4: [Egress]
    private let v6: [Egress]
    /// Whether a host's IPv4 addresses are tried before its IPv6 ones.
    let ipv4First: Bool

    /// - Parameter fallback: the name in EHLO where no address of a family was given.
    init(_ given: [Egress], fallback: DomainName, ipv4First: Bool) {
        func ways(_ isOfFamily: (IPAddress) -> Bool) -> [Egress] {
            let ours = given.filter { $0.address.map(isOfFamily) ?? false }
            return ours.isEmpty ? [Egress(nil, helloName: fallback)] : ours
        }
        self.v4 = ways { !$0.isIPv6 }
        self.v6 = ways(\.isIPv6)
        self.ipv4First = ipv4First
    }

    /// All ways, by the source address, or the family where the system chooses one.
    var all: Set<NetworkWay> {
        Set(
            self.v4.map { NetworkWay(source: $0.address, isIPv6: false) }
                + self.v6.map { NetworkWay(source: $0.address, isIPv6: true) })
    }

    /// The ways to an address; at least one.
    func ways(to address: IPAddress) -> [Egress] { address.isIPv6 ? self.v6 : self.v4 }
}
