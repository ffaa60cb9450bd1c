public import Cryptography
import Synchronization
import TransportSecurity

/// What all outbound connections share: OpenSSL contexts, one per kind of requirement, and one for each set of authorities.
///
/// Make one for all connections that show the same; it is safe to use from every event loop.
public final class TLSClientContext: Sendable {
    private let authenticating, encrypting, opportunistic: TLSContext
    private let verifying: [String: TLSContext]
    /// The system's authorities are many. They are loaded when the first connection asks for them.
    private let system = Mutex<TLSContext?>(nil)
    private let identity: ServerCertificate?
    private let applicationProtocols: [String]

    /// A client context.
    ///
    /// - Parameters:
    ///   - authorities: the certificates of each file that connections name authorities by. Those of the system need not be
    ///     given.
    ///   - identity: what the client shows of itself to a server that asks for a certificate.
    ///   - applicationProtocols: ALPN names to offer, in order of preference; `TLSConnectionInfo` says which the server took.
    public init(
        authorities: [String: [Certificate]] = [:], identity: ServerCertificate? = nil,
        applicationProtocols: [String] = []
    ) throws(TLSConfigurationError) {
        self.identity = identity
        self.applicationProtocols = applicationProtocols
        func context(
            _ strictness: TLSStrictness, _ verification: PeerVerification
        ) throws(TLSConfigurationError) -> TLSContext {
            try TLSContext(
                client: strictness, verifying: verification, identity: identity,
                applicationProtocols: applicationProtocols)
        }
        self.authenticating = try context(.owed, .dane)
        self.encrypting = try context(.owed, .none)
        self.opportunistic = try context(.opportunistic, .none)
        var verifying: [String: TLSContext] = [:]
        for (file, certificates) in authorities {
            verifying[file] = try context(.owed, .authority(certificates))
        }
        self.verifying = verifying
    }

    /// The names of the files of authorities that it has.
    package var authorityNames: Set<String> { Set(self.verifying.keys) }

    func context(for requirement: TLSRequirement) throws(TLSConfigurationError) -> TLSContext {
        switch requirement {
        case .mustAuthenticate: return self.authenticating
        case .mustVerify(let verification):
            guard case .file(let file) = verification.authorities else { return try self.bySystem() }
            guard let context = self.verifying[file] else {
                throw TLSConfigurationError(.refused, "the authorities were not loaded")
            }
            return context
        case .mustEncrypt: return self.encrypting
        case .opportunistic: return self.opportunistic
        }
    }

    private func bySystem() throws(TLSConfigurationError) -> TLSContext {
        try self.system.withLock { system throws(TLSConfigurationError) in
            if let system { return system }
            let made = try TLSContext(
                client: .owed, verifying: .authority(nil), identity: self.identity,
                applicationProtocols: self.applicationProtocols)
            system = made
            return made
        }
    }
}
