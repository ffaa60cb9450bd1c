package import ClusterModel
import GRPCCore
import GRPCTransport
package import MailModel
import TLSEngine

/// Who calls, as the certificate of the connection proved it.
package struct Caller: Hashable, Sendable {
    package let identity: ClusterIdentity
    /// SHA-256 of the certificate.
    package let fingerprint: [UInt8]
    /// The end of the certificate.
    package let notAfter: Timestamp

    /// The caller of the RPC that this task handles; `nil` for a stranger.
    @TaskLocal package static var current: Caller?

    /// The caller of a method that only those with a certificate may call.
    static func known() throws(RPCError) -> Caller {
        guard let caller = Self.current else {
            throw RPCError(code: .unauthenticated, message: "this method needs a certificate of the cluster")
        }
        return caller
    }

    /// The holder of the connection's certificate, if it is one of this cluster with one identity in it.
    init?(_ context: ServerContext, of cluster: ClusterName) {
        guard let peer = context.transportSpecific as? ConnectionPeer, let client = peer.security?.client,
            client.uris.count == 1, let identity = ClusterIdentity(uri: client.uris[0]), identity.cluster == cluster
        else { return nil }
        self.identity = identity
        self.fingerprint = client.fingerprint
        self.notAfter = client.notAfter
    }
}
