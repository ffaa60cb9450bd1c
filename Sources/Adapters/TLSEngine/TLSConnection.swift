import COpenSSL
import Cryptography
import DANE
import MailModel
import NIOCore
import TransportSecurity

/// The owner of one OpenSSL connection: bytes in, bytes out, no sockets and no events.
@safe final class TLSConnection {
    /// What a step of OpenSSL came to.
    enum Step: Hashable {
        /// Done: the handshake is complete, or bytes were read or written.
        case complete
        /// More bytes are needed from the peer.
        case incomplete
        /// The peer has ended its side with close_notify.
        case closedByPeer
        /// The connection is beyond use.
        case failed(TLSFailure)
    }

    private let connection: OpaquePointer
    private let transport = Transport()
    /// OpenSSL refers to what is in here without owning it.
    private let keptAlive: AnyObject
    /// What is verified under `mustAuthenticate`. OpenSSL's callback finds it by the connection, which does not own it.
    let verification: ChainVerification?

    /// The server's side.
    init(server contexts: ServerContexts) throws(TLSConfigurationError) {
        unsafe self.connection = try Self.make(contexts.standard, self.transport)
        self.keptAlive = contexts
        self.verification = nil
        unsafe SSL_set_accept_state(self.connection)
    }

    /// The client's side. A name that is verified goes into SNI, whatever `serverName` is.
    init(
        client context: TLSContext, requirement: TLSRequirement, serverName: DomainName?, takesCommonName: Bool
    ) throws(TLSConfigurationError) {
        unsafe self.connection = try Self.make(context, self.transport)
        self.keptAlive = context
        unsafe SSL_set_connect_state(self.connection)
        if case .mustAuthenticate(let authentication) = requirement {
            self.verification = ChainVerification(authentication)
        } else {
            self.verification = nil
        }
        switch requirement {
        case .mustAuthenticate(let authentication):
            try unsafe DANEVerification.prepare(self.connection, authentication)
            try unsafe self.verification?.attach(to: self.connection)
        case .mustVerify(let verification):
            try unsafe AuthorityVerification.prepare(self.connection, verification)
        case .mustEncrypt, .opportunistic:
            if let serverName { unsafe _ = relay_SSL_set_tlsext_host_name(self.connection, serverName.text) }
        }
        // A wildcard is a whole leftmost label (rule 17). By OpenSSL's default the CN counts only without a DNS SAN.
        let subject = takesCommonName ? 0 : X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
        unsafe SSL_set_hostflags(self.connection, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | subject))
    }

    deinit { unsafe SSL_free(self.connection) }

    private static func make(
        _ context: TLSContext, _ transport: Transport
    ) throws(TLSConfigurationError)
        -> OpaquePointer
    {
        OpenSSLErrors.clear()
        guard let connection = context.with({ unsafe SSL_new($0) }) else {
            throw TLSConfigurationError(.refused, "no TLS connection: \(OpenSSLErrors.drainText())")
        }
        guard let bio = unsafe transport.makeBIO() else {
            unsafe SSL_free(connection)
            throw TLSConfigurationError(.refused, "no TLS connection: \(OpenSSLErrors.drainText())")
        }
        // One BIO for both directions; OpenSSL takes over the one reference and frees it with the connection.
        unsafe SSL_set_bio(connection, bio, bio)
        return unsafe connection
    }

    // MARK: Events

    /// Bytes of the peer's; call `handshake` or `read` next.
    func received(_ bytes: ByteBuffer) { self.transport.received(bytes) }

    /// The transport has ended; call `handshake` or `read` next.
    func transportEnded() { self.transport.end() }

    /// What is to be sent to the peer by now.
    func takeOutput() -> ByteBuffer? { self.transport.takeOutput() }

    /// Goes on with the handshake.
    func handshake() -> Step {
        OpenSSLErrors.clear()
        let status = unsafe SSL_do_handshake(self.connection)
        return status == 1 ? .complete : self.step(status)
    }

    /// Reads some plaintext onto the end of `target`.
    func read(into target: inout ByteBuffer) -> Step {
        OpenSSLErrors.clear()
        var status: Int32 = 0
        let capacity = min(16_384, max(1024, self.transport.waiting))
        unsafe target.writeWithUnsafeMutableBytes(minimumWritableBytes: capacity) { free in
            var count = 0
            // OpenSSL writes at most as much as the buffer holds.
            status = unsafe SSL_read_ex(self.connection, free.baseAddress, free.count, &count)
            return status == 1 ? count : 0
        }
        return status == 1 ? .complete : self.step(status)
    }

    /// Encrypts plaintext. The transport takes everything, so this completes or fails.
    func write(_ plaintext: ByteBuffer) -> Step {
        guard plaintext.readableBytes > 0 else { return .complete }
        OpenSSLErrors.clear()
        self.transport.reserve(plaintext.readableBytes)
        let status = unsafe plaintext.withUnsafeReadableBytes { bytes in
            var count = 0
            return unsafe SSL_write_ex(self.connection, bytes.baseAddress, bytes.count, &count)
        }
        return status == 1 ? .complete : self.step(status)
    }

    /// Makes the close_notify alert. Harmless on a connection that has failed.
    func shutDown() {
        OpenSSLErrors.clear()
        unsafe _ = SSL_shutdown(self.connection)
        OpenSSLErrors.clear()
    }

    private func step(_ status: Int32) -> Step {
        switch unsafe SSL_get_error(self.connection, status) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: .incomplete
        case SSL_ERROR_ZERO_RETURN: .closedByPeer
        default: .failed(TLSFailure(OpenSSLErrors.drain(), transportEnded: self.transport.ended))
        }
    }

    // MARK: What was agreed

    /// What the peer has proved of that which was asked for, once the handshake is complete.
    func proof(for requirement: TLSRequirement) -> Result<PeerProof, TLSFailure> {
        switch requirement {
        case .mustAuthenticate(let authentication):
            unsafe DANEVerification.verdict(self.connection, authentication).map(PeerProof.dane).mapError { failure in
                self.verification?.naming(failure) ?? failure
            }
        case .mustVerify(let verification):
            unsafe AuthorityVerification.verdict(self.connection, verification).map(PeerProof.authority)
        case .mustEncrypt, .opportunistic: .success(.none)
        }
    }

    /// What a server presented, as far as it got; at most `TLSLimits.chainLength` certificates.
    func peerChain() -> [PeerCertificate] {
        // OpenSSL owns all these certificates.
        guard let stack = unsafe SSL_get_peer_cert_chain(self.connection) else { return [] }
        return (0..<min(unsafe relay_sk_X509_num(stack), TLSLimits.chainLength)).compactMap { index in
            unsafe relay_sk_X509_value(stack, index).map { unsafe PeerCertificate(reading: $0) }
        }
    }

    /// Version, cipher and the rest, once the handshake is complete.
    func info(isServer: Bool) -> TLSConnectionInfo {
        let cipher = unsafe SSL_get_current_cipher(self.connection)
        return TLSConnectionInfo(
            version: unsafe String(cString: SSL_get_version(self.connection)),
            cipher: unsafe text(SSL_CIPHER_get_name(cipher)) ?? "none",
            cipherBits: Int(unsafe SSL_CIPHER_get_bits(cipher, nil)),
            keyExchangeGroup: unsafe text(relay_SSL_negotiated_group_name(self.connection)),
            serverName: unsafe text(SSL_get_servername(self.connection, TLSEXT_NAMETYPE_host_name))
                .flatMap { DomainName($0) },
            resumed: unsafe SSL_session_reused(self.connection) == 1,
            applicationProtocol: self.applicationProtocol, client: isServer ? self.authenticatedClient() : nil)
    }

    private var applicationProtocol: String? {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        // The name belongs to the connection and is copied here.
        unsafe SSL_get0_alpn_selected(self.connection, &name, &length)
        guard length > 0, let name = unsafe name else { return nil }
        return unsafe String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    /// The client, if its certificate is one of those that our contexts recognise. A resumed session brings the certificate
    /// and the verdict of the handshake that it began with (RFC 5077 §4, RFC 8446 §2.2).
    private func authenticatedClient() -> AuthenticatedClient? {
        guard let clients = (self.keptAlive as? ServerContexts)?.clients,
            let own = unsafe SSL_get0_peer_certificate(self.connection)
        else { return nil }
        let isVerified = unsafe SSL_get_verify_result(self.connection) == Int(X509_V_OK)
        return unsafe clients.recognise(PeerCertificate(reading: own), isIssuedByAuthority: isVerified)
    }
}

/// A copy of a C string that OpenSSL owns.
@unsafe private func text(_ string: UnsafePointer<CChar>?) -> String? {
    unsafe string.map { unsafe String(cString: $0) }
}
