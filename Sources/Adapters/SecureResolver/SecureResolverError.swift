/// Why a resolver could not be started.
public struct SecureResolverError: Error, Hashable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: Hashable, Sendable {
        /// A setting that is not allowed or not well formed.
        case invalidSettings
        /// An option of libunbound that is not allowed or not well formed.
        case invalidOption
        /// A file of root hints that cannot be read, or holds none.
        case invalidRootHints
        /// A trust anchor that cannot be read, or no anchor at all.
        case invalidTrustAnchor
        /// libunbound refused its configuration or could not start.
        case libraryFailure
    }

    /// The kind.
    public let code: Code
    /// One sentence for the operator.
    public let message: String
    /// What lies behind it: the error of libunbound or of the file system.
    public let cause: String?

    init(_ code: Code, _ message: String, cause: String? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message and its cause in one line.
    public var description: String { self.cause.map { "\(self.message): \($0)" } ?? self.message }
}
