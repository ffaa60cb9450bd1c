public import MailModel

extension PlannedHost {
    /// The addresses of this host that one attempt may try, both families by turns. So a family that cannot be reached
    /// from here does not use up what is allowed.
    ///
    /// - Parameter limit: the most addresses to return.
    public func addressesToTry(ipv4First: Bool, limit: Int) -> [IPAddress] {
        let (v6, v4) = (self.addresses.filter(\.isIPv6), self.addresses.filter { !$0.isIPv6 })
        let families = ipv4First ? [v4, v6] : [v6, v4]
        let byTurns = (0..<max(v6.count, v4.count)).flatMap { index in
            families.compactMap { index < $0.count ? $0[index] : nil }
        }
        return Array(byTurns.prefix(limit))
    }
}
