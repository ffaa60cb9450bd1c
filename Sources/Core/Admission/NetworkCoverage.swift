import MailModel

/// How many of the addresses that hosts may have some networks hold together: 0.0.0.0/1 and 128.0.0.0/1 are all of IPv4, as
/// 0.0.0.0/0 is.
package struct NetworkCoverage: Hashable {
    /// A kind of address, and where its hosts are.
    package enum Family: String, CaseIterable {
        /// Unicast: all below 224.0.0.0 (RFC 5771 §1).
        case ipv4 = "IPv4"
        /// Global unicast, as it is assigned: 2000::/3 (RFC 4291 §2.4, RFC 3587).
        case ipv6 = "IPv6"

        fileprivate var hosts: [CIDRBlock] {
            switch self {
            case .ipv4: ["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"].compactMap { CIDRBlock($0) }
            case .ipv6: ["2000::/3"].compactMap { CIDRBlock($0) }
            }
        }
    }

    /// From here on networks are no longer those of anybody's own hosts.
    package static let most = 0.5

    package let family: Family
    /// From 0 to 1.
    package let share: Double

    /// Of the union: what two networks have in common counts once.
    package init(of networks: [CIDRBlock], in family: Family) {
        // Two networks are apart, or one is within the other.
        let outermost = Set(networks).filter { one in !networks.contains { $0 != one && $0.covers(one) } }
        let hosts = family.hosts
        self.family = family
        self.share = hosts.map { Self.shared($0, outermost) }.reduce(0, +) / hosts.map(\.size).reduce(0, +)
    }

    /// The families of which they hold half or more.
    package static func excesses(of networks: [CIDRBlock]) -> [NetworkCoverage] {
        Family.allCases.map { NetworkCoverage(of: networks, in: $0) }.filter { $0.share >= self.most }
    }

    private static func shared(_ part: CIDRBlock, _ networks: Set<CIDRBlock>) -> Double {
        if networks.contains(where: { $0.covers(part) }) { return part.size }
        return networks.filter { part.covers($0) }.map(\.size).reduce(0, +)
    }
}

extension NetworkCoverage: CustomStringConvertible {
    /// Such as `57% of all IPv4 addresses of hosts`. Less than all is never called 100%.
    package var description: String { "\(Int(self.share * 100))% of all \(self.family.rawValue) addresses of hosts" }
}

extension CIDRBlock {
    /// Whether each address of the other network is one of this network.
    fileprivate func covers(_ other: CIDRBlock) -> Bool {
        self.prefixLength <= other.prefixLength && self.network.isIPv6 == other.network.isIPv6
            && other.network.masked(to: self.prefixLength) == self.network
    }

    /// As a part of all addresses, those without hosts included.
    fileprivate var size: Double {
        (0..<self.prefixLength).reduce(1) { size, _ in size / 2 }
    }
}
