/// What a client offers to prove who it is, by AUTH PLAIN (RFC 4616) or AUTH LOGIN; only ever read over TLS.
///
/// The password is in no description, log line or trace.
public struct SASLCredentials: Hashable, Sendable {
    /// Whose rights are asked for; empty is the same as `authenticationID`.
    public let authorizationID: String
    /// Whose password it is.
    public let authenticationID: String
    /// The password, as bytes of UTF-8; at most 255.
    public let password: [UInt8]

    /// Credentials.
    public init(authorizationID: String = "", authenticationID: String, password: [UInt8]) {
        self.authorizationID = authorizationID
        self.authenticationID = authenticationID
        self.password = password
    }
}

extension SASLCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "credentials of \(self.authenticationID.debugDescription)" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: ["authenticationID": self.authenticationID]) }
}

/// An owner's answer about credentials.
public enum SASLDecision: Hashable, Sendable {
    /// They are right: the client is this user from now on.
    case accepted(identity: String)
    /// They are wrong: 535 5.7.8.
    case refused
    /// Nobody can tell now: 454 4.7.0 (RFC 4954 §6).
    case unavailable
}
