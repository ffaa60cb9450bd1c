public import Cryptography
import Synchronization

/// The certificates a server presents, chosen by SNI and replaceable as a whole while handshakes go on.
///
/// All connections of a listener share one store. A handshake uses the certificates that were current when it began.
public final class ServerCertificateStore: Sendable {
    private let protocols: ApplicationProtocols
    private let current: Mutex<ServerContexts>

    /// A store of these certificates.
    ///
    /// An SNI name is answered by every certificate that has the name, such as an RSA and an ECDSA one. OpenSSL picks
    /// what the client can verify; of two of a kind the earlier counts. Without SNI, or with an unknown name, the set
    /// of the first certificate is the answer.
    ///
    /// - Parameters:
    ///   - applicationProtocols: ALPN names accepted, in order of preference; a client that offers only others is refused,
    ///     one that offers none is welcome.
    ///   - clients: the clients to recognise by their certificates. Without this no client is asked for one. With it
    ///     each is asked, and those without, or with one that is not recognised, are still served.
    public init(
        _ certificates: [ServerCertificate], applicationProtocols: [String] = ["smtp", "esmtp"],
        clients: RecognisedClients? = nil
    )
        throws(TLSConfigurationError)
    {
        self.protocols = ApplicationProtocols(applicationProtocols)
        self.current = Mutex(try ServerContexts(certificates, protocols: self.protocols, clients: clients))
    }

    /// Replaces all certificates, and the clients that are recognised, at once; with `nil` no client is asked for one. When this
    /// throws, the old ones stay.
    public func replace(
        _ certificates: [ServerCertificate], clients: RecognisedClients?
    ) throws(TLSConfigurationError) {
        let next = try ServerContexts(certificates, protocols: self.protocols, clients: clients)
        self.current.withLock { $0 = next }
    }

    /// The generation for a new connection.
    var contexts: ServerContexts { self.current.withLock { $0 } }
}
