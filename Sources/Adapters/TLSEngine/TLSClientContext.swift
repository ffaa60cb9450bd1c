/// What all outbound connections share: three OpenSSL contexts, one per kind of requirement.
///
/// Make one per process; it is safe to use from every event loop.
public final class TLSClientContext: Sendable {
    private let authenticating, encrypting, opportunistic: TLSContext

    /// A client context.
    public init() throws(TLSConfigurationError) {
        self.authenticating = try TLSContext(client: .owed, verifiesDANE: true)
        self.encrypting = try TLSContext(client: .owed, verifiesDANE: false)
        self.opportunistic = try TLSContext(client: .opportunistic, verifiesDANE: false)
    }

    func context(for requirement: TLSClientRequirement) -> TLSContext {
        switch requirement {
        case .authenticate: self.authenticating
        case .encrypt: self.encrypting
        case .opportunistic: self.opportunistic
        }
    }
}
