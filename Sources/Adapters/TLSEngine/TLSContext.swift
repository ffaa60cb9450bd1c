import COpenSSL
import Cryptography
import DANE

/// Limits on what a peer may send before anything is known about it (hostile-input 22).
enum TLSLimits {
    /// The certificates of a chain, all together, in bytes.
    static let chainBytes = 65_536
    /// The certificates of a server's chain that count.
    static let chainLength = Int32(DANELimits.certificates)
    /// The certificates of a client's chain, its own included. A longer one is not verified. There are no records to match
    /// each of them against, so more may come than from a server.
    static let clientChainLength: Int32 = 32
    /// How far a chain is built.
    static let chainDepth: Int32 = 10
    /// Everything that arrives before the handshake is complete, in bytes.
    static let handshakeBytes = 262_144
    /// What TLS itself may answer, beside application bytes, while the peer does not read, in bytes.
    static let unreadAnswerBytes = 16_384
}

/// How strict a context is about versions and ciphers (rule 21).
enum TLSStrictness {
    /// We serve: TLS 1.2 and 1.3, forward secrecy preferred, no CBC with SHA-1.
    case server
    /// TLS is owed: TLS 1.2 and 1.3, AEAD or CBC with SHA-2.
    case owed
    /// Anything is better than cleartext: TLS 1.0, old ciphers, anonymous ones too.
    case opportunistic
}

/// How a client's context verifies its peer.
enum PeerVerification {
    /// By the TLSA records of each connection.
    case dane
    /// By these authorities, or those that the system trusts, and the name of each connection.
    case authority([Certificate]?)
    /// Not at all.
    case none
}

/// The owner of one OpenSSL context. It is configured in `init` and not changed afterwards.
@safe final class TLSContext: @unchecked Sendable {
    // An SSL_CTX that nobody changes may be used from every thread, hence `@unchecked Sendable`.
    private let context: OpaquePointer
    /// What the ALPN callback reads; kept alive for as long as the context, which refers to it without owning it.
    private let protocols: ApplicationProtocols?

    /// A context for clients, which offers these protocols and shows `identity` to whoever asks.
    init(
        client strictness: TLSStrictness, verifying verification: PeerVerification, identity: ServerCertificate? = nil,
        applicationProtocols: [String] = []
    ) throws(TLSConfigurationError) {
        unsafe self.context = try Self.make(TLS_client_method(), strictness)
        self.protocols = nil
        // The handshake completes whatever the certificate, so that a refused chain can still be explained; the
        // verdict is read before any application byte passes.
        unsafe SSL_CTX_set_verify(self.context, SSL_VERIFY_NONE, nil)
        unsafe SSL_CTX_set_verify_depth(self.context, TLSLimits.chainDepth)
        try self.verify(verification)
        if let identity { try self.use(identity) }
        try self.offer(applicationProtocols)
    }

    /// A context for servers that presents these certificates, one of each kind of key. It asks clients for theirs if
    /// it is told whom to recognise.
    init(
        server certificates: [ServerCertificate], protocols: ApplicationProtocols, clients: RecognisedClients?
    ) throws(TLSConfigurationError) {
        unsafe self.context = try Self.make(TLS_server_method(), .server)
        self.protocols = protocols
        for certificate in certificates { try self.use(certificate) }
        // The context keeps the pointer and `self.protocols` keeps what it points to.
        unsafe SSL_CTX_set_alpn_select_cb(
            self.context,
            { _, chosen, length, offered, count, argument in
                unsafe ApplicationProtocols.select(chosen, length, offered, count, argument)
            }, Unmanaged.passUnretained(protocols).toOpaque())
        if let clients { try self.recognise(clients) }
    }

    deinit { unsafe SSL_CTX_free(self.context) }

    /// Lets `selector` choose another context by SNI. The connection must keep the selector alive.
    func selectByName(_ selector: ServerContexts) {
        unsafe _ = relay_SSL_CTX_set_tlsext_servername(
            self.context, { connection, _, argument in unsafe ServerContexts.select(connection, argument) },
            Unmanaged.passUnretained(selector).toOpaque())
    }

    /// Lends the pointer for one call.
    @safe func with<Result>(_ body: (OpaquePointer) -> Result) -> Result { unsafe body(self.context) }

    // MARK: Setting up

    @unsafe private static func make(
        _ method: OpaquePointer?, _ strictness: TLSStrictness
    )
        throws(TLSConfigurationError) -> OpaquePointer
    {
        OpenSSLErrors.clear()
        guard let context = unsafe SSL_CTX_new(method) else { throw Self.failure("context") }
        guard unsafe Self.configure(context, strictness) else {
            unsafe SSL_CTX_free(context)
            throw Self.failure("ciphers")
        }
        return unsafe context
    }

    /// Sets everything that matters, so that the machine's openssl.cnf does not decide.
    @unsafe private static func configure(_ context: OpaquePointer, _ strictness: TLSStrictness) -> Bool {
        var options = relay_SSL_OP_NO_COMPRESSION | relay_SSL_OP_NO_RENEGOTIATION
        if strictness == .server { options |= relay_SSL_OP_CIPHER_SERVER_PREFERENCE }
        if strictness == .opportunistic { options |= relay_SSL_OP_LEGACY_SERVER_CONNECT }
        unsafe SSL_CTX_set_options(context, options)
        // Idle connections give their record buffers back. A chain goes out as configured, not as guessed.
        let mode = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN
        unsafe _ = relay_SSL_CTX_set_mode(context, Int(mode))
        // Tickets only: no cache grows here. Shared, rotating ticket keys will be set at this place.
        unsafe _ = relay_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        unsafe _ = relay_SSL_CTX_set_max_cert_list(context, TLSLimits.chainBytes)
        let lowest = strictness == .opportunistic ? TLS1_VERSION : TLS1_2_VERSION
        // Level 0 admits what TLS 1.0 needs (SHA-1 signatures) and any key; level 1 wants 80 bits everywhere.
        unsafe SSL_CTX_set_security_level(context, strictness == .opportunistic ? 0 : 1)
        return unsafe relay_SSL_CTX_set_protocol_range(context, lowest, TLS1_3_VERSION) == 1
            && SSL_CTX_set_cipher_list(context, Self.ciphers(strictness)) == 1
            && relay_SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384:P-521") == 1
    }

    /// Suites of TLS 1.2 and before; those of 1.3 are all sound.
    private static func ciphers(_ strictness: TLSStrictness) -> String {
        switch strictness {
        case .server:
            "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+SHA384:ECDHE+SHA256:!aNULL:!eNULL:!CAMELLIA"
        case .owed:
            "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+SHA384:ECDHE+SHA256:DHE+SHA256"
                + ":RSA+AESGCM:RSA+SHA256:!aNULL:!eNULL:!PSK:!SRP:!CAMELLIA:!aDSS"
        case .opportunistic:
            "ALL:!eNULL:!PSK:!SRP:@STRENGTH"
        }
    }

    private func verify(_ verification: PeerVerification) throws(TLSConfigurationError) {
        switch verification {
        case .dane:
            guard unsafe SSL_CTX_dane_enable(self.context) == 1 else { throw Self.failure("DANE") }
            // RFC 7672 §3.1.1: names do not count under DANE-EE.
            unsafe SSL_CTX_dane_set_flags(self.context, UInt(DANE_FLAG_NO_DANE_EE_NAMECHECKS))
            unsafe SSL_CTX_set_cert_verify_callback(
                self.context, { store, _ in unsafe ChainVerification.verify(store) }, nil)
        case .authority(let authorities?):
            try self.trust(authorities)
            unsafe SSL_CTX_set_cert_verify_callback(self.context, { store, _ in unsafe verifyServer(store) }, nil)
        case .authority(nil):
            guard unsafe SSL_CTX_set_default_verify_paths(self.context) == 1 else {
                throw Self.failure("system's authorities")
            }
            unsafe SSL_CTX_set_cert_verify_callback(self.context, { store, _ in unsafe verifyServer(store) }, nil)
        case .none:
            // Nobody asks who the peer is, so no work is spent on its chain.
            unsafe SSL_CTX_set_cert_verify_callback(self.context, { _, _ in 1 }, nil)
        }
    }

    /// Adds authorities whose certificates count. An issuing one may be named without the root above it.
    private func trust(_ authorities: [Certificate]) throws(TLSConfigurationError) {
        let store = unsafe SSL_CTX_get_cert_store(self.context)
        unsafe _ = X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        for authority in authorities {
            // OpenSSL takes a reference of its own.
            guard authority.with({ unsafe X509_STORE_add_cert(store, $0) == 1 }) else {
                throw Self.failure("authority \(authority.value.subject)")
            }
        }
    }

    /// Offers protocols to a server (ALPN).
    private func offer(_ protocols: [String]) throws(TLSConfigurationError) {
        guard !protocols.isEmpty else { return }
        OpenSSLErrors.clear()
        let names = protocols.map { Array($0.utf8) }
        guard names.allSatisfy({ 1...255 ~= $0.count }) else {
            throw TLSConfigurationError(.refused, "a name for ALPN has 1 to 255 bytes")
        }
        let list = names.flatMap { [UInt8($0.count)] + $0 }
        // Unlike the rest of OpenSSL, this gives 0 for success.
        guard unsafe SSL_CTX_set_alpn_protos(self.context, list, UInt32(list.count)) == 0 else {
            throw Self.failure("protocols")
        }
    }

    private func use(_ certificate: ServerCertificate) throws(TLSConfigurationError) {
        OpenSSLErrors.clear()
        // OpenSSL takes references of its own to certificates and key.
        var used = certificate.chain[0].with { unsafe SSL_CTX_use_certificate(self.context, $0) == 1 }
        for link in certificate.chain.dropFirst() {
            used = used && link.with { unsafe relay_SSL_CTX_add1_chain_cert(self.context, $0) == 1 }
        }
        used = used && certificate.key.with { unsafe SSL_CTX_use_PrivateKey(self.context, $0) == 1 }
        guard used else { throw Self.failure("certificate \(certificate.chain[0].value.subject)") }
    }

    /// Asks for a certificate, takes none as well, and never ends a handshake over one: what it proves is read afterwards.
    private func recognise(_ clients: RecognisedClients) throws(TLSConfigurationError) {
        OpenSSLErrors.clear()
        try self.trust(clients.authorities)
        for authority in clients.authorities {
            // OpenSSL takes a reference of its own; the names are what clients choose their certificate by.
            guard authority.with({ unsafe SSL_CTX_add_client_CA(self.context, $0) == 1 }) else {
                throw Self.failure("authority \(authority.value.subject)")
            }
        }
        let mark = clients.sessionContext
        // A session that another rule made is not resumed, because it keeps that rule's verdict.
        guard unsafe SSL_CTX_set_session_id_context(self.context, mark, UInt32(mark.count)) == 1 else {
            throw Self.failure("session context")
        }
        unsafe SSL_CTX_set_verify_depth(self.context, TLSLimits.chainDepth)
        unsafe SSL_CTX_set_cert_verify_callback(self.context, { store, _ in unsafe judgeClient(store) }, nil)
        unsafe SSL_CTX_set_verify(self.context, SSL_VERIFY_PEER, nil)
    }

    private static func failure(_ what: String) -> TLSConfigurationError {
        TLSConfigurationError(.refused, "OpenSSL refuses the \(what): \(OpenSSLErrors.drainText())")
    }
}

/// Verifies a client's chain, if its length is bounded; a longer one is not looked at.
@unsafe private func verifyBounded(_ store: OpaquePointer?) -> Int32 {
    guard unsafe relay_sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) <= TLSLimits.clientChainLength else {
        unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_CHAIN_TOO_LONG)
        return 0
    }
    return unsafe X509_verify_cert(store)
}

/// Verifies a host's chain and name; the verdict is read after the handshake. A chain of more certificates is not looked at.
@unsafe private func verifyServer(_ store: OpaquePointer?) -> Int32 {
    guard unsafe relay_sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) <= TLSLimits.chainLength else {
        unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_CHAIN_TOO_LONG)
        return 0
    }
    let isGood = unsafe X509_verify_cert(store) == 1
    if !isGood, unsafe X509_STORE_CTX_get_error(store) == X509_V_OK {
        // Failing without a reason must not be read as success.
        unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED)
    }
    return isGood ? 1 : 0
}

/// Verifies a client's chain and lets the handshake go on: the verdict stays with the session, and resuming it keeps it.
@unsafe private func judgeClient(_ store: OpaquePointer?) -> Int32 {
    let isGood = unsafe verifyBounded(store) == 1
    if !isGood, unsafe X509_STORE_CTX_get_error(store) == X509_V_OK {
        // Failing without a reason is our own trouble, and must not be read as success.
        unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED)
    }
    return 1
}
