/// Why a TLS context or connection could not be set up. Shown to operators, so it names the fault.
public struct TLSConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The faults that callers and tests tell apart.
    public enum Code: Hashable, Sendable {
        /// A store needs at least one certificate.
        case noCertificates
        /// OpenSSL finds each of a host's TLSA records unusable (RFC 7672 §2.2).
        case noUsableRecord
        /// OpenSSL refused, for the reason in the message.
        case refused
    }

    /// What is wrong.
    public let code: Code
    /// One line for people.
    public let message: String

    /// An error with this code.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }
}
