/// Why a certificate, key or password could not be read or made. Shown to operators, so it names the file and the fault.
public struct CryptographyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The faults that callers and tests tell apart.
    public enum Code: Hashable, Sendable {
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
