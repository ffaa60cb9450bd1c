import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import Foundation
package import GRPCCore
package import GRPCTransport
package import MailModel
package import NIOCore
import SwiftProtobuf

/// How a command reaches a controller: with a context's credential, which renews itself at half life, and when the authorities of the
/// cluster are others than those it has.
package struct ClusterSession: Sendable {
    let store: ContextStore
    let terminal: ConsoleTerminal
    let time: any NodeClock
    let random: RandomSource
    let group: any EventLoopGroup

    package init(
        store: ContextStore, terminal: ConsoleTerminal, time: any NodeClock, random: RandomSource,
        group: any EventLoopGroup
    ) {
        self.store = store
        self.terminal = terminal
        self.time = time
        self.random = random
        self.group = group
    }

    /// Runs a command with a client of a context's controllers. After it the credential is renewed, if it is time.
    package func run<Answer: Sendable>(
        _ context: ClusterContext,
        _ body: (GRPCClient<GRPCClientTransport>) async throws(ConsoleFailure) -> Answer
    ) async throws(ConsoleFailure) -> Answer {
        try await self.run(context) { client, _ throws(ConsoleFailure) in try await body(client) }
    }

    /// The same, for a command that renews the credential itself in between.
    func run<Answer: Sendable>(
        _ context: ClusterContext,
        _ body: (GRPCClient<GRPCClientTransport>, CredentialRenewal) async throws(ConsoleFailure) -> Answer
    ) async throws(ConsoleFailure) -> Answer {
        let renewal = CredentialRenewal(context, store: self.store, terminal: self.terminal, time: self.time)
        let connection = self.connection(context.addresses, .credential { renewal.credential })
        return try await Self.connected(connection) { client throws(ConsoleFailure) in
            let answer = try await body(client, renewal)
            await renewal.renewIfDue(client)
            return answer
        }
    }

    func connection(_ addresses: [ControllerAddress], _ proof: ControllerConnection.Proof) -> ControllerConnection {
        ControllerConnection(addresses: addresses.map(\.transport), proof, group: self.group, random: self.random)
    }

    /// Runs `body` with a client, and tells what went wrong as the program does.
    static func connected<Answer: Sendable>(
        _ connection: ControllerConnection,
        _ body: (GRPCClient<GRPCClientTransport>) async throws(ConsoleFailure) -> Answer
    ) async throws(ConsoleFailure) -> Answer {
        do {
            return try await connection.withClient { client in try await body(client) }
        } catch {
            throw ConsoleFailure(controller: error)
        }
    }
}

extension ClusterCredential {
    /// What a controller issued for a key.
    init(key: PrivateKey, issued identity: ControlIssuedIdentity) throws(ConsoleFailure) {
        do {
            var authorities: [Certificate] = []
            for der in identity.authoritiesDer { authorities.append(try Certificate(der: Array(der))) }
            try self.init(
                key: key, certificate: try Certificate(der: Array(identity.certificateDer)), authorities: authorities)
        } catch {
            throw ConsoleFailure(.failed, "the controller's answer cannot be used: \(error)")
        }
    }

    /// When it ends.
    var end: Timestamp { self.certificate.value.notAfter }
}
