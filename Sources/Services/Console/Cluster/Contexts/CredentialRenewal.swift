import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import MailModel
import SwiftProtobuf
import Synchronization

/// The credential of a context while a command runs, and its renewal.
final class CredentialRenewal: Sendable {
    private let context: String
    private let store: ContextStore
    private let terminal: ConsoleTerminal
    private let time: any NodeClock
    private let held: Mutex<ClusterCredential>

    init(_ context: ClusterContext, store: ContextStore, terminal: ConsoleTerminal, time: any NodeClock) {
        self.context = context.name
        self.store = store
        self.terminal = terminal
        self.time = time
        self.held = Mutex(context.credential)
    }

    /// What the next connection shows, and whom it trusts.
    var credential: ClusterCredential { self.held.withLock { $0 } }

    /// Gets a new certificate for the same key from half life on, and when a rotation has changed the cluster's authorities (control 14).
    /// If that fails, the old one counts on, and the next command tries again.
    func renewIfDue(_ client: GRPCClient<GRPCClientTransport>) async {
        let service = ControlClusterService.Client(wrapping: client)
        guard self.credential.identity.role.isOfPeople, await self.isDue(service) else { return }
        do {
            // The same key, so that a lost answer leaves a credential that still counts.
            let (key, name) = (self.credential.key, self.credential.identity.name)
            let request = try CertificateSigningRequest.make(key: key, commonName: name)
            let answer = try await service.renewCredential(
                .with { $0.signingRequestDer = Data(request) }, options: Self.options)
            let renewed = try ClusterCredential(key: key, issued: answer.identity)
            try self.store.write(renewed, of: self.context)
            self.held.withLock { $0 = renewed }
            self.terminal.say("the credential of context \(self.context) was renewed; it ends at \(renewed.end)")
        } catch {
            let failure = ConsoleFailure(controller: error)
            self.terminal.say("the credential of context \(self.context) could not be renewed: \(failure)")
        }
    }

    private func isDue(_ service: ControlClusterService.Client<GRPCClientTransport>) async -> Bool {
        let certificate = self.credential.certificate.value
        let half = Duration.microseconds((certificate.notAfter - certificate.notBefore).wholeMicroseconds / 2)
        if self.time.date >= certificate.notBefore + half { return true }
        // Who does not say which authorities there are changes nothing.
        guard let answer = try? await service.getAuthority(.init(), options: Self.options) else { return false }
        return !self.credential.isCurrent(under: answer.authorities)
    }

    private static var options: CallOptions {
        var options = CallOptions.defaults
        options.timeout = ClusterConsole.patience
        return options
    }
}

extension ClusterCredential {
    /// Whether it trusts exactly these authorities, and is of the one that issues.
    fileprivate func isCurrent(under authorities: [ControlAuthority]) -> Bool {
        guard let issuing = authorities.first(where: \.isIssuing) else { return true }
        let trusted = Dictionary(
            self.authorities.map { (Digests.sha256($0.value.der), $0) }, uniquingKeysWith: { first, _ in first })
        guard Set(trusted.keys) == Set(authorities.map { Array($0.sha256) }) else { return false }
        return trusted[Array(issuing.sha256)].map(self.certificate.isIssued) ?? false
    }
}
