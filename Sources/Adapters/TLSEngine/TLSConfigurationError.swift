public import Cryptography

/// Why a TLS context or connection could not be set up.
public typealias TLSConfigurationError = CodedError<TLSConfigurationFault>

/// The faults that callers and tests tell apart.
public enum TLSConfigurationFault: Hashable, Sendable {
    /// A store needs at least one certificate.
    case noCertificates
    /// OpenSSL finds each of a host's TLSA records unusable (RFC 7672 §2.2).
    case noUsableRecord
    /// OpenSSL refused, for the reason in the message.
    case refused
}
