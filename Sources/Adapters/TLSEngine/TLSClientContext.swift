public import Cryptography
import TransportSecurity

/// What all outbound connections share: OpenSSL contexts, one per kind of requirement, and one for each set of authorities.
///
/// Make one per process; it is safe to use from every event loop.
public final class TLSClientContext: Sendable {
    private let authenticating, encrypting, opportunistic: TLSContext
    private let verifying: [TrustedAuthorities: TLSContext]

    /// A client context.
    ///
    /// - Parameter authorities: the certificates of each file that connections name authorities by. Those of the system need
    ///   not be given.
    public init(authorities: [String: [Certificate]] = [:]) throws(TLSConfigurationError) {
        self.authenticating = try TLSContext(client: .owed, verifying: .dane)
        self.encrypting = try TLSContext(client: .owed, verifying: .none)
        self.opportunistic = try TLSContext(client: .opportunistic, verifying: .none)
        var verifying = [TrustedAuthorities.system: try TLSContext(client: .owed, verifying: .systemAuthorities)]
        for (file, certificates) in authorities {
            verifying[.file(file)] = try TLSContext(client: .owed, verifying: .authorities(certificates))
        }
        self.verifying = verifying
    }

    func context(for requirement: TLSClientRequirement) throws(TLSConfigurationError) -> TLSContext {
        switch requirement {
        case .authenticate: return self.authenticating
        case .verify(let verification):
            guard let context = self.verifying[verification.authorities] else {
                throw TLSConfigurationError(.refused, "the authorities were not loaded")
            }
            return context
        case .encrypt: return self.encrypting
        case .opportunistic: return self.opportunistic
        }
    }
}
