package import ClusterModel
package import Cryptography
import DANE
import DNSModel
package import GRPCCore
package import GRPCTransport
package import MailModel
package import NIOCore
import TLSEngine
import TransportSecurity

/// How a client of a cluster reaches its controller: at the first address that answers, over TLS 1.3.
package struct ControllerConnection: Sendable {
    /// What the controller must prove, and what the client shows.
    package enum Proof: Sendable {
        /// The credential is shown, and the controller's certificate must be of its authorities. It is asked for anew for each
        /// connection, so that a renewed one counts from the next one on.
        case credential(@Sendable () -> ClusterCredential)
        /// Nothing is shown; the controller's authority must be the one whose hash is in the token (control 11).
        case token(JoinToken)
        /// Nothing is shown; the controller's certificate must be of one of these authorities.
        case pinned([Certificate], of: ClusterName)
    }

    package let addresses: [TransportAddress]
    package let proof: Proof
    private let group: any EventLoopGroup
    private let random: RandomSource

    package init(
        addresses: [TransportAddress], _ proof: Proof, group: any EventLoopGroup, random: RandomSource
    ) {
        self.addresses = addresses
        self.proof = proof
        self.group = group
        self.random = random
    }

    /// Runs `body` with a client. It connects again when a connection ends, with growing waits between attempts that fail
    /// (control 8), for as long as `body` runs.
    package func withClient<Result: Sendable>(
        _ body: (GRPCClient<GRPCClientTransport>) async throws -> Result
    ) async throws -> Result {
        try await withGRPCClient(transport: self.transport()) { client in try await body(client) }
    }

    /// A transport of its own, for a caller that renews its certificate on it.
    package func transport() -> GRPCClientTransport {
        let random = self.random
        let configuration = GRPCClientTransport.Configuration(
            addresses: self.addresses, security: .tls { [proof] in (try proof.context(), proof.requirement) },
            authority: self.proof.cluster.controllerHost.text,
            random: {
                var random = random
                return Double.random(in: 0...1, using: &random)
            })
        return GRPCClientTransport(configuration, group: self.group)
    }
}

extension ControllerConnection.Proof {
    /// The name under which contexts have the cluster's authorities.
    private static let authorities = "cluster"

    var cluster: ClusterName {
        switch self {
        case .credential(let credential): credential().identity.cluster
        case .token(let token): token.cluster
        case .pinned(_, let cluster): cluster
        }
    }

    func context() throws -> TLSClientContext {
        switch self {
        case .credential(let credential):
            let credential = credential()
            return try TLSClientContext(
                authorities: [Self.authorities: credential.authorities], identity: credential.shown,
                applicationProtocols: ["h2"])
        case .token: return try TLSClientContext(applicationProtocols: ["h2"])
        case .pinned(let authorities, _):
            return try TLSClientContext(authorities: [Self.authorities: authorities], applicationProtocols: ["h2"])
        }
    }

    /// Every controller's certificate names the host of its cluster. The authority of a token is not known yet, but by its hash:
    /// that is a TLSA record 2 0 1, and the controller sends the authority's certificate in its chain.
    var requirement: TLSRequirement {
        let host = self.cluster.controllerHost
        switch self {
        case .credential, .pinned:
            return .mustVerify(CertificateVerification(name: host, authorities: .file(Self.authorities)))
        case .token(let token):
            let record = TLSARecord(
                usage: .daneTA, selector: .cert, matchingType: .sha256, associationData: token.authority)
            return .mustAuthenticate(
                DANEAuthentication(
                    records: [record], baseDomain: TLSABaseDomain(host), referenceIdentifiers: [host]))
        }
    }
}
