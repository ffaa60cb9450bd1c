/// Why a certificate, key or password could not be read or made. The message names the file.
public typealias CryptographyError = CodedError<CryptographyFault>

/// The faults that callers and tests tell apart.
public enum CryptographyFault: Hashable, Sendable {
    /// The file cannot be read.
    case unreadable
    /// Others than owner and group may read or change the key file.
    case keyFileExposed
    /// Not PEM, or not the object expected in it.
    case unparsable
    /// The key does not belong to the first certificate.
    case keyMismatch
    /// OpenSSL refused, for the reason in the message.
    case refused
}
