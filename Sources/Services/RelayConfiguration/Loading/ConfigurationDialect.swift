public import MailModel

/// Turns the text of a domain in the file into its A-labels.
public typealias DomainNameParser = @Sendable (String) -> DomainName?

/// How the values are read that only libraries understand, which the composition root knows.
public struct ConfigurationDialect: Sendable {
    /// Reads a domain; composed with an IDNA converter.
    public var domainName: DomainNameParser
    /// What is wrong with a connection string, in words without a part of it; `nil` where it is good.
    public var connectionFault: @Sendable (String) -> String?
    /// Whether a connection string has a password in it.
    public var holdsPassword: @Sendable (String) -> Bool

    /// Domains in A-labels, and connection strings that nobody looks at.
    public init(
        domainName: @escaping DomainNameParser = { DomainName($0) },
        connectionFault: @escaping @Sendable (String) -> String? = { _ in nil },
        holdsPassword: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        self.domainName = domainName
        self.connectionFault = connectionFault
        self.holdsPassword = holdsPassword
    }
}
