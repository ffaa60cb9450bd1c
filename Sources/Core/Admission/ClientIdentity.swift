package import MailModel

/// Who a client is, as far as that decides what it may do.
package struct ClientIdentity: Hashable, Sendable {
    package let address: IPAddress
    /// Its user, after AUTH over TLS.
    package var user: String?
    /// The subject of its certificate, if the operator recognises that and the handshake proved its key.
    package var certificateSubject: String?

    /// A client that has proved nothing but its address.
    package init(_ address: IPAddress, user: String? = nil, certificateSubject: String? = nil) {
        self.address = address
        self.user = user
        self.certificateSubject = certificateSubject
    }
}
