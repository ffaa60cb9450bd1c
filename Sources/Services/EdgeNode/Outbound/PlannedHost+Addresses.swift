import DANE
import MailModel

extension PlannedHost {
    /// The addresses of this host that one attempt may try: both families by turns, so that a family that cannot be
    /// reached from here does not use up what is allowed.
    var addressesToTry: [IPAddress] {
        let (v6, v4) = (self.addresses.filter(\.isIPv6), self.addresses.filter { !$0.isIPv6 })
        let byTurns = (0..<max(v6.count, v4.count)).flatMap { index in
            [v6, v4].compactMap { index < $0.count ? $0[index] : nil }
        }
        return Array(byTurns.prefix(DeliveryEnvironment.addressesPerHost))
    }
}

extension IPAddress {
    fileprivate var isIPv6: Bool { if case .v6 = self { true } else { false } }
}
