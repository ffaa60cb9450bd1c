/// How a message came, as the `with` clause of its trace field names it (RFC 3848; RFC 6531 §4.3 for SMTPUTF8).
public struct TransmissionProtocol: Hashable, Sendable {
    /// EHLO was said.
    public var isExtended: Bool
    /// SMTPUTF8 was declared.
    public var isInternational: Bool
    /// Over TLS.
    public var isSecured: Bool
    /// After AUTH.
    public var isAuthenticated: Bool

    /// A way of coming.
    public init(
        isExtended: Bool, isInternational: Bool = false, isSecured: Bool = false, isAuthenticated: Bool = false
    ) {
        self.isExtended = isExtended
        self.isInternational = isInternational
        self.isSecured = isSecured
        self.isAuthenticated = isAuthenticated
    }
}

extension TransmissionProtocol: CustomStringConvertible {
    /// A registered keyword such as `ESMTPSA`. There is none for HELO with TLS, which the handshake makes rare.
    public var description: String {
        let isPlain = !self.isExtended && !self.isInternational && !self.isSecured && !self.isAuthenticated
        guard !isPlain else { return "SMTP" }
        let base = self.isInternational ? "UTF8SMTP" : "ESMTP"
        return base + (self.isSecured ? "S" : "") + (self.isAuthenticated ? "A" : "")
    }
}
