/// How a delivery was protected: `auth=dane|tls|none` in logs and traces.
public enum AuthenticationLabel: String, Hashable, Sendable, CaseIterable {
    /// Authenticated by DANE, and every look-up from the recipient's domain on was secure.
    case dane
    /// Encrypted; also where DANE authenticated a host that an insecure MX RRset had named (rule 7).
    case tls
    /// In clear.
    case none
}
