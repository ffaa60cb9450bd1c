package import Cryptography
package import TLSEngine

/// The certificates that clients are shown, with what handshakes take of them. There is at least one.
package struct ServedCertificates: Sendable {
    /// In the order of their slots.
    package let certificates: [ServerCertificate]
    /// What an operator knows each by, in the same order.
    package let names: [String]
    /// Chooses among them by SNI, and recognises clients by theirs.
    package let store: ServerCertificateStore

    /// Certificates that work together.
    ///
    /// - Parameters:
    ///   - names: those of `tls.certificates` unless given.
    ///   - clients: the clients to recognise by their certificates. Without this no client is asked for one.
    package init(
        _ certificates: [ServerCertificate], names: [String]? = nil, clients: RecognisedClients? = nil
    ) throws(TLSConfigurationError) {
        self.certificates = certificates
        self.names = names ?? certificates.indices.map { "tls.certificates[\($0)]" }
        self.store = try ServerCertificateStore(certificates, clients: clients)
    }
}
