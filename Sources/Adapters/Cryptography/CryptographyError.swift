/// Why a certificate, key, password or secret could not be read or made. The message names the file.
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
    /// Sealed under a key-encryption key that is not the one given.
    case otherKey
    /// Not what was sealed, or not for this context or under this key.
    case sealBroken
    /// OpenSSL refused, or we do, for the reason in the message.
    case refused
}
