public import MailModel

/// One way out: the address that connections come from, and the name that they introduce themselves by.
public struct Egress: Hashable, Sendable {
    /// Our address; `nil` for the one that the system chooses.
    public let address: IPAddress?
    /// The name in EHLO, which should lead to that address.
    public let helloName: DomainName

    /// A way out.
    public init(_ address: IPAddress?, helloName: DomainName) {
        self.address = address
        self.helloName = helloName
    }
}
