package import Cryptography
package import TLSEngine

/// The certificates that clients are shown, with what handshakes take of them. There is at least one.
package struct ServedCertificates: Sendable {
    /// In the order of their slots.
    package let certificates: [ServerCertificate]
    /// Chooses among them by SNI, and recognises clients by theirs.
    package let store: ServerCertificateStore

    /// Certificates that work together.
    ///
    /// - Parameter clients: the clients to recognise by their certificates. Without this no client is asked for one.
    package init(
        _ certificates: [ServerCertificate], clients: RecognisedClients? = nil
    ) throws(TLSConfigurationError) {
        self.certificates = certificates
        self.store = try ServerCertificateStore(certificates, clients: clients)
    }
}
