package import ClusterModel
import ControlAPI
package import ControlClient
import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import OperatingSystem
import SwiftProtobuf

/// How a person logs in to a cluster.
package struct LoginRequest: Sendable {
    /// What proves who that is.
    package enum Proof: Sendable {
        /// A credential that somebody made, such as `relay-controller init`.
        case credential(ClusterCredential)
        /// A token for a person of this name and role.
        case token(JoinToken, name: String, role: ClusterRole)
    }

    /// The name of the context; that of the cluster without one.
    package var context: String?
    package var addresses: [ControllerAddress]
    package var proof: Proof

    package init(context: String?, addresses: [ControllerAddress], proof: Proof) {
        self.context = context
        self.addresses = addresses
        self.proof = proof
    }

    var cluster: ClusterName {
        switch self.proof {
        case .credential(let credential): credential.identity.cluster
        case .token(let token, _, _): token.cluster
        }
    }
}

extension ClusterSession {
    /// Makes a context, once a controller has accepted the credential, and has it count from now on.
    package func login(_ request: LoginRequest, as format: OutputFormat) async throws(ConsoleFailure) {
        let name = request.context ?? request.cluster.text
        try self.store.makeFolder(for: name)
        if self.store.names().contains(name), let old = try? self.store.read(name),
            old.credential.identity.cluster != request.cluster
        {
            throw ConsoleFailure(
                .usage, "context \(name) is of cluster \(old.credential.identity.cluster); choose another --context")
        }
        let credential = try await self.credential(request, of: name)
        let connection = self.connection(request.addresses, .credential { credential })
        let status = try await Self.connected(connection) { client throws(ConsoleFailure) in
            try await ClusterConsole(client: client, format: format, terminal: self.terminal, time: self.time)
                .clusterStatus()
        }
        try self.store.write(name, request.addresses, credential)
        try? PrivateFile.remove(self.store.keyFile(name))
        let fields: [OutputValue.Field] = [
            .init("action", .text("login")), .init("context", .text(name)), .init("cluster", .text(status.cluster)),
            .init("identity", .text(credential.identity.uri)),
            .init("credential_not_after", .text("\(credential.end)")),
        ]
        try self.terminal.write(.document(fields), as: format) {
            ["context \(name): \(credential.identity.uri), until \(credential.end)"]
        }
    }

    private func credential(
        _ request: LoginRequest, of context: String
    ) async throws(ConsoleFailure) -> ClusterCredential {
        switch request.proof {
        case .credential(let credential): return credential
        case .token(let token, let name, let role):
            let key = try self.key(of: context)
            let connection = self.connection(request.addresses, .token(token))
            let answer = try await Self.connected(connection) { client throws(ConsoleFailure) in
                try await Self.enrol(name, role, with: token, key, client)
            }
            return try ClusterCredential(key: key, issued: answer.identity)
        }
    }

    private static func enrol(
        _ name: String, _ role: ClusterRole, with token: JoinToken, _ key: PrivateKey,
        _ client: GRPCClient<GRPCClientTransport>
    ) async throws(ConsoleFailure) -> ControlEnrollResponse {
        var options = CallOptions.defaults
        options.timeout = ClusterConsole.patience
        do {
            let request = try CertificateSigningRequest.make(key: key, commonName: name)
            return try await ControlEnrollmentService.Client(wrapping: client).enroll(
                .with {
                    $0.token = token.text
                    $0.nodeName = name
                    $0.role = ControlRole(role)
                    $0.signingRequestDer = Data(request)
                }, options: options)
        } catch {
            throw ConsoleFailure(controller: error)
        }
    }

    /// The key of a login that has begun: the same again, so that a lost answer does not burn the token (control 11).
    private func key(of context: String) throws(ConsoleFailure) -> PrivateKey {
        let path = self.store.keyFile(context)
        do {
            if FileManager.default.fileExists(atPath: path) {
                return try PrivateKey(pem: BoundedFile.read(path, limit: 16 << 10, isSecret: true).bytes)
            }
            let key = try PrivateKey(.p256)
            try PrivateFile.replace(path, with: Array(key.pem.utf8))
            return key
        } catch {
            throw ConsoleFailure(.failed, "\(path): \(error)")
        }
    }
}

extension ControlRole {
    /// Replicas of the controller have no role that a token gives.
    init(_ role: ClusterRole) {
        self =
            switch role {
            case .node: .node
            case .admin: .admin
            case .viewer: .viewer
            case .controller: .unspecified
            }
    }
}
