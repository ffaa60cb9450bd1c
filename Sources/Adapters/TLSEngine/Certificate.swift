public import DANE

/// One X.509 certificate.
public final class Certificate: Sendable {
    /// Its content as a value.
    public var value: PeerCertificate { fatalError() }
    /// PEM text.
    public var pem: String { fatalError() }
    /// Reads one certificate from DER.
    public init(der: [UInt8]) throws(TLSConfigurationError) { fatalError() }
    /// Reads every certificate of a PEM text, in order; at least one.
    public static func readAll(pem: [UInt8]) throws(TLSConfigurationError) -> [Certificate] { fatalError() }
    /// The TLSA record that associates this certificate (RFC 6698 §2.1).
    public func tlsaRecord(
        usage: TLSARecord.CertificateUsage, selector: TLSARecord.Selector, matchingType: TLSARecord.MatchingType
    ) -> TLSARecord { fatalError() }
}
