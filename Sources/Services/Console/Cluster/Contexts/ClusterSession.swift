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

/// How a command reaches a controller: with a context's credential, which renews itself at half life.
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
        let credential = context.credential
        let connection = self.connection(context.addresses, .credential { credential })
        return try await Self.connected(connection) { client throws(ConsoleFailure) in
            let answer = try await body(client)
            await self.renew(context, client)
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

    // MARK: - Renewal

    /// Gets a new certificate for the same key from half life on. If that fails, the old one counts on, and the next command tries
    /// again.
    private func renew(_ context: ClusterContext, _ client: GRPCClient<GRPCClientTransport>) async {
        let certificate = context.credential.certificate.value
        let half = Duration.microseconds((certificate.notAfter - certificate.notBefore).wholeMicroseconds / 2)
        guard context.credential.identity.role.isOfPeople, self.time.date >= certificate.notBefore + half else {
            return
        }
        do {
            // The same key, so that a lost answer leaves a credential that still counts.
            let key = context.credential.key
            let request = try CertificateSigningRequest.make(key: key, commonName: context.credential.identity.name)
            var options = CallOptions.defaults
            options.timeout = ClusterConsole.patience
            let answer = try await ControlClusterService.Client(wrapping: client).renewCredential(
                .with { $0.signingRequestDer = Data(request) }, options: options)
            let renewed = try ClusterCredential(key: key, issued: answer.identity)
            try self.store.write(renewed, of: context.name)
            self.terminal.say("the credential of context \(context.name) was renewed; it ends at \(renewed.end)")
        } catch {
            let failure = ConsoleFailure(controller: error)
            self.terminal.say("the credential of context \(context.name) could not be renewed: \(failure)")
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
