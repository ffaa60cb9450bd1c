/// The server's side of one AUTH exchange (RFC 4954 §4), up to the credentials: what they are worth is not decided here.
///
/// ```
/// PLAIN:  "" ─ response ─▶ credentials
/// LOGIN:  Username: ─ name ─▶ Password: ─ password ─▶ credentials
/// ```
struct SASLExchange: Hashable, Sendable {
    /// The mechanisms, by their names in EHLO. Both send the password as it is, and so are offered over TLS only.
    enum Mechanism: String, CaseIterable {
        /// RFC 4616.
        case plain = "PLAIN"
        /// Never standardised, and all that some clients know.
        case login = "LOGIN"
    }

    /// What one response of the client came to.
    enum Outcome: Hashable {
        /// Another response is needed.
        case more
        case credentials(SASLCredentials)
        /// No base64, or not what the mechanism says.
        case malformed
        /// The client gave up with a single `*`.
        case cancelled
    }

    /// The most bytes of a name or password (RFC 4616 §2).
    static let maximumLength = 255

    private let mechanism: Mechanism
    private var name: String?

    init(_ mechanism: Mechanism) { self.mechanism = mechanism }

    /// The text of the 334 that asks for the next response, in base64.
    var challenge: String {
        switch self.mechanism {
        case .plain: ""
        case .login: self.name == nil ? "VXNlcm5hbWU6" : "UGFzc3dvcmQ6"
        }
    }

    /// Takes the response that came with the command, where `=` stands for an empty one.
    mutating func receivedInitial(_ response: ArraySlice<UInt8>) -> Outcome {
        self.received(response.elementsEqual("=".utf8) ? [] : response)
    }

    /// Takes one line of the client, without its CRLF.
    mutating func received(_ line: ArraySlice<UInt8>) -> Outcome {
        if line.elementsEqual("*".utf8) { return .cancelled }
        guard let response = Base64.decode(line) else { return .malformed }
        switch self.mechanism {
        case .plain: return Self.plain(response)
        case .login: return self.login(response)
        }
    }

    /// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).
    private static func plain(_ response: [UInt8]) -> Outcome {
        let parts = response.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3, let authorizationID = Self.text(parts[0]), let name = Self.text(parts[1]),
            !name.isEmpty, Self.isPassword(parts[2])
        else { return .malformed }
        return .credentials(
            SASLCredentials(authorizationID: authorizationID, authenticationID: name, password: Array(parts[2])))
    }

    private mutating func login(_ response: [UInt8]) -> Outcome {
        guard let name = self.name else {
            guard let name = Self.text(response[...]), !name.isEmpty else { return .malformed }
            self.name = name
            return .more
        }
        guard Self.isPassword(response[...]) else { return .malformed }
        return .credentials(SASLCredentials(authenticationID: name, password: response))
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.count <= Self.maximumLength, !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isPassword(_ bytes: ArraySlice<UInt8>) -> Bool {
        Self.text(bytes).map { !$0.isEmpty } ?? false
    }
}
