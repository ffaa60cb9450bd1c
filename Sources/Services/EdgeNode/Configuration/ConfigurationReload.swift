import Cryptography
import Delivery
import Inbound
import Logging
import MailModel
import NodeState
import RelayConfiguration
import SecureResolver
import ServiceLifecycle
import ServiceSupport
import Telemetry
import UnixSignals

/// Takes the configuration anew on SIGHUP: the `NodeState` as a whole. It counts for each command of a client, handshake,
/// AUTH and attempt that begins later. Answers of the DNS are looked up anew, too.
///
/// The new configuration and all files that it names are read and checked as at a start. They are taken as a whole or
/// not at all. When anything is wrong, the old one stays in force, and the log and `config_last_reload_successful` say
/// so (hostile-input 41). Other settings that have changed wait for the next start, and a warning names them.
struct ConfigurationReload: Service {
    let running: LoadedConfiguration
    let load: @Sendable () throws(ConfigurationError) -> LoadedConfiguration
    let signals: UnixSignalsSequence
    let inForce: StateInForce
    let resolver: SecureResolver
    let health: ResolverHealth
    let flushes: DNSFlushWatch?
    let metrics: RelayMetrics
    let time: any NodeClock
    let logger: Logger

    func run() async throws {
        for await _ in self.signals.cancelOnGracefulShutdown() { await self.reload() }
    }

    private func reload() async {
        do {
            let load = self.load
            let loaded = try await onOwnThread("configuration") {
                Result { () throws(ConfigurationError) in try load() }
            }.get()
            let files = try await ConfiguredFiles(loaded, running: self.resolver, time: self.time)
            if let reason = await self.health.reloadAnchors() {
                throw ConfigurationError(problems: [loaded.problem(with: "resolver.trust-anchor-files", reason)])
            }
            try self.replaceState(with: files, loaded.configuration)
            await self.flushes?.flushEverything()
            self.metrics.configLastReloadSuccessful.set(true)
            for warning in loaded.warnings(at: self.time.date) + files.warnings { self.logger.warning("\(warning)") }
            self.announce(
                files, waiting: self.running.configuration.keysWaiting(forRestartWith: loaded.configuration))
        } catch {
            self.metrics.configLastReloadSuccessful.set(false)
            self.logger.error(
                "configuration not reloaded: what was in force stays",
                metadata: [LogKey.event: "\(LogEventName.admin.rawValue)", "error": "\(error)"])
        }
    }

    private func announce(_ files: ConfiguredFiles, waiting: [String]) {
        self.logger.notice(
            "configuration reloaded",
            metadata: [
                LogKey.event: "\(LogEventName.admin.rawValue)",
                "certificates": .stringConvertible(files.certificates.count),
                "users": .stringConvertible(files.users?.count ?? 0),
                "recipient_lists": .stringConvertible(files.recipientLists.count),
                "after_restart": "\(waiting.joined(separator: " "))",
            ])
        guard !waiting.isEmpty else { return }
        self.logger.warning(
            "changed settings wait for a restart: what they were at the start stays in force",
            metadata: [
                LogKey.event: "\(LogEventName.admin.rawValue)",
                LogKey.setting: "\(waiting.joined(separator: " "))",
            ])
    }

    private func replaceState(with files: ConfiguredFiles, _ configuration: RelaydConfiguration) throws {
        let next = self.running.configuration.reloaded(taking: configuration)
        // The controller's part is the controller's. A node that is to follow one after its next start goes on as it is.
        let isControlled = next.hasController || configuration.hasController
        let content = isControlled ? nil : try files.content(by: next)
        try self.inForce.replace(local: files.local(by: next), content: content)
    }
}
