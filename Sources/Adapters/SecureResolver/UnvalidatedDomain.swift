public import MailModel

/// A domain that is not validated, by the operator's word, until a moment; its names are insecure meanwhile.
public struct UnvalidatedDomain: Hashable, Sendable {
    /// The domain, with all names below it.
    public let domain: DomainName
    /// From then on it is validated like any other.
    public let until: Timestamp

    /// One domain.
    public init(_ domain: DomainName, until: Timestamp) {
        self.domain = domain
        self.until = until
    }

    /// Whether it is about this name.
    func covers(_ name: DomainName) -> Bool {
        name == self.domain || name.text.hasSuffix("." + self.domain.text)
    }
}
