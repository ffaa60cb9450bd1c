import MailModel
import TLSEngine

/// Who a client is, as far as that decides what it may do.
struct ClientIdentity: Hashable, Sendable {
    let address: IPAddress
    /// Its user, after AUTH over TLS.
    var user: String?
    /// What its certificate proved in the handshake.
    var certificate: AuthenticatedClient?

    /// A client that has proved nothing but its address.
    init(_ address: IPAddress, user: String? = nil, certificate: AuthenticatedClient? = nil) {
        self.address = address
        self.user = user
        self.certificate = certificate
    }
}
