public import MailModel

/// A certificate chain with its key, checked: it parses, it is not expired, and the key is the certificate's.
public final class ServerCertificate: Sendable {
    /// The names it is served for, beside being the default; lower case, `*.` in front of a wildcard's.
    public let names: [String]
    /// The chain, its own certificate first.
    public let chain: [Certificate]

    /// A certificate in memory, as PEM.
    ///
    /// - Parameters:
    ///   - names: the SNI names it answers to; `nil` means its dNSNames.
    ///   - now: the moment at which it must not have expired.
    public init(
        chainPEM: [UInt8], keyPEM: [UInt8], names: [DomainName]? = nil, now: Timestamp
    )
        throws(TLSConfigurationError)
    { fatalError() }

    /// A certificate from files. A key file that others than owner and group can read is refused.
    public convenience init(
        chainFile: String, keyFile: String, names: [DomainName]? = nil, now: Timestamp
    )
        throws(TLSConfigurationError)
    { fatalError() }
}
