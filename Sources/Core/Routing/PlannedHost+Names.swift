public import MailModel

extension PlannedHost {
    /// As operators see it: its name, if it has one.
    public var shown: String? { self.name.map { "\($0)" } }

    /// The same with the address at which it is asked, such as `mx.bravo.test[192.0.2.1]`.
    public func shown(at address: IPAddress) -> String { "\(self.shown ?? "")[\(address)]" }
}
