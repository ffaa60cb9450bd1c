package import Admission
package import Cryptography
import Foundation
package import Logging
package import MailModel
import OperatingSystem
package import RelayConfiguration
package import SecureResolver
import ServiceSupport
import TLSEngine

/// What a node makes of the files that its settings name, before it touches network or database.
///
/// A start and `config check` both come through here, so that the one cannot call good what the other refuses.
package struct ConfiguredFiles: Sendable {
    /// In the order of their slots.
    package let certificates: [ServerCertificate]
    /// The clients to recognise by their certificates, where some are configured.
    private let clients: RecognisedClients?
    /// `nil` when no file of users is configured.
    package let users: UserCredentials?
    /// By accepted domain, where there is one.
    package let recipientLists: [DomainName: RecipientList]
    package let resolver: SecureResolver
    /// What works as it is, and does harm.
    package let warnings: [ConfigurationProblem]
    /// The authorities that hosts are verified by, by file.
    private let authorities: [String: [Certificate]]

    /// Loads everything. Throws a `ConfigurationError` with all that is wrong; anything else is no fault of the settings.
    ///
    /// - Parameters:
    ///   - relayd: the program that the resolver's process runs; the one that runs now unless given.
    ///   - running: a resolver that is taken where it is made of the same settings and files. Another need not be
    ///     started to see whether they are good.
    ///   - time: by which the resolver judges signatures.
    ///   - logger: told of the resolver's start, which is of no interest to a mere check.
    package init(
        _ loaded: LoadedConfiguration, relayd: String? = nil, running: SecureResolver? = nil, time: any NodeClock,
        logger: Logger = Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }
    ) async throws {
        let content = await onOwnThread("files") { Content(loaded) }
        var problems = content.problems
        for (index, source) in loaded.configuration.delivery.sourceAddresses.enumerated() {
            guard let refusal = LocalAddresses.refusal(of: source.address) else { continue }
            problems.append(loaded.problem(with: "delivery.source-addresses", element: "[\(index)]", refusal))
        }
        // Interfaces that cannot be told leave nothing to compare with.
        problems += loaded.ownNextHops(interfaces: (try? LocalAddresses.ofInterfaces()) ?? [])
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        self.users = content.users
        self.recipientLists = content.recipientLists
        self.warnings = loaded.warnings(of: content.certificates)
        self.certificates = content.certificates
        self.clients = content.clients
        self.authorities = content.authorities
        try Self.examine(content.certificates, content.clients, loaded)
        self.resolver = try await Self.resolver(loaded, relayd, running, time, logger)
    }

    /// What a node serves by that has read these files, and has these settings, but for what is its own.
    package func content(by configuration: RelaydConfiguration) throws(NodeStateError) -> NodeStateContent {
        try configuration.stateContent(
            lists: self.recipientLists, users: self.users, certificates: self.certificates,
            authorities: self.authorities)
    }

    /// What of it is the node's own, wherever the rest comes from.
    package func local(by configuration: RelaydConfiguration) -> LocalState {
        LocalState(clients: self.clients, sites: configuration.siteLimits)
    }

    /// What the files say, and what is wrong with them. They may be large: a list of recipients has up to 64 MiB.
    private struct Content: Sendable {
        let problems: [ConfigurationProblem]
        let certificates: [ServerCertificate]
        let clients: RecognisedClients?
        let users: UserCredentials?
        let recipientLists: [DomainName: RecipientList]
        let authorities: [String: [Certificate]]

        init(_ loaded: LoadedConfiguration) {
            var problems = ConfiguredFiles.unreadableFiles(loaded)
            do {
                self.certificates = try ConfiguredFiles.certificates(loaded)
            } catch {
                problems += error.problems
                self.certificates = []
            }
            self.clients = ConfiguredFiles.recognisedClients(loaded, &problems)
            self.users = ConfiguredFiles.users(loaded, &problems)
            self.recipientLists = ConfiguredFiles.recipientLists(loaded, &problems)
            self.authorities = ConfiguredFiles.authorities(loaded, &problems)
            self.problems = problems
        }
    }

    /// Files whose content libunbound judges are looked at here first, each for itself, so that every one is named.
    private static func unreadableFiles(_ loaded: LoadedConfiguration) -> [ConfigurationProblem] {
        let resolver = loaded.configuration.resolver
        let anchors = resolver.trustAnchorFiles.enumerated().map { index, path in
            ("resolver.trust-anchor-files", "[\(index)]", path)
        }
        let hints = [resolver.rootHints].compactMap(\.self).map { ("resolver.root-hints", "", $0) }
        return (anchors + hints).compactMap { key, index, path in
            do throws(BoundedFile.Fault) {
                _ = try BoundedFile.read(path, limit: SettingsFile.maximumBytes)
                return nil
            } catch {
                return loaded.problem(with: key, element: index, "\(path): \(error)")
            }
        }
    }

    /// Loads all certificates with their keys, or names each that is not good.
    private static func certificates(_ loaded: LoadedConfiguration) throws(ConfigurationError) -> [ServerCertificate] {
        var certificates: [ServerCertificate] = []
        var problems: [ConfigurationProblem] = []
        for (index, files) in loaded.configuration.tls.certificates.enumerated() {
            do {
                certificates.append(
                    try ServerCertificate(
                        chainFile: files.certificate, keyFile: files.key,
                        names: files.names.isEmpty ? nil : files.names))
            } catch {
                problems.append(
                    loaded.problem(with: "tls.certificates", element: "[\(index)]", error.message))
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        return certificates
    }

    /// Sees whether OpenSSL takes all certificates together.
    private static func examine(
        _ certificates: [ServerCertificate], _ clients: RecognisedClients?, _ loaded: LoadedConfiguration
    ) throws(ConfigurationError) {
        guard !certificates.isEmpty else { return }
        do {
            _ = try ServedCertificates(certificates, clients: clients)
        } catch {
            throw ConfigurationError(problems: [loaded.problem(with: "tls.certificates", error.message)])
        }
    }

    private static func resolver(
        _ loaded: LoadedConfiguration, _ relayd: String?, _ running: SecureResolver?, _ time: any NodeClock,
        _ logger: Logger
    ) async throws -> SecureResolver {
        var settings = loaded.configuration.resolverSettings
        if let relayd { settings.executable = relayd }
        if let running, running.isMade(of: settings) { return running }
        do {
            return try await SecureResolver(settings: settings, logger: logger, now: { time.date })
        } catch {
            switch error.code {
            case .invalidTrustAnchor:
                throw ConfigurationError(problems: [
                    loaded.problem(with: "resolver.trust-anchor-files", error.description)
                ])
            case .invalidOption:
                throw ConfigurationError(problems: [loaded.problem(with: "resolver.options", error.description)])
            case .invalidRootHints:
                throw ConfigurationError(problems: [loaded.problem(with: "resolver.root-hints", error.description)])
            case .invalidSettings:
                throw ConfigurationError(problems: [loaded.problem(with: "resolver.stubs", error.description)])
            case .libraryFailure:
                throw error
            }
        }
    }
}
