public import MailModel

/// An egress source: the address that connections come from, and the name in their EHLO.
public struct Egress: Hashable, Sendable {
    /// Our address; `nil` for the one that the system chooses.
    public let address: IPAddress?
    /// The name in EHLO, which should lead to that address.
    public let helloName: DomainName

    /// An egress source.
    public init(_ address: IPAddress?, helloName: DomainName) {
        self.address = address
        self.helloName = helloName
    }
}
