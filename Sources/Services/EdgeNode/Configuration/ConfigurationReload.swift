import Logging
import ServiceLifecycle
import TLSEngine
import Telemetry
import UnixSignals

/// Takes the configuration anew on SIGHUP: certificates and keys at once, for handshakes that begin from then on.
///
/// The new configuration is read and checked as a start would do it, and taken as a whole or not at all: when anything is
/// wrong with it, what was in force stays, and the log and `config_last_reload_successful` say so (hostile-input 41).
/// Other settings that have changed are named, and take effect with the next start, as do changes within other files.
struct ConfigurationReload: Service {
    let running: LoadedConfiguration
    let load: @Sendable () throws(ConfigurationError) -> LoadedConfiguration
    let signals: UnixSignalsSequence
    /// `nil` when the node started without certificates.
    let certificates: ServerCertificateStore?
    let metrics: RelayMetrics
    let logger: Logger

    func run() async throws {
        for await _ in self.signals.cancelOnGracefulShutdown() { await self.reload() }
    }

    private func reload() async {
        do {
            let loaded = try self.load()
            // Users, lists, trust anchors: what a start would refuse is refused here, although only a start takes it.
            try await EdgeNode.checkFiles(of: loaded)
            try self.replaceCertificates(loaded)
            self.metrics.configLastReloadSuccessful.set(true)
            let waiting = self.keysForNextStart(loaded)
            self.logger.notice(
                "configuration reloaded",
                metadata: [
                    LogKey.event: "\(LogEventName.admin.rawValue)",
                    "certificates": "\(loaded.configuration.tls.certificates.count)",
                    "after_restart": "\(waiting.joined(separator: " "))",
                ])
        } catch {
            self.metrics.configLastReloadSuccessful.set(false)
            self.logger.error(
                "configuration not reloaded: what was in force stays",
                metadata: [LogKey.event: "\(LogEventName.admin.rawValue)", "error": "\(error)"])
        }
    }

    private func replaceCertificates(_ loaded: LoadedConfiguration) throws(ConfigurationError) {
        let next = try ConfiguredFiles.certificates(loaded)
        guard let store = self.certificates, !next.isEmpty else { return }
        do {
            try store.replace(next)
        } catch {
            throw ConfigurationError(problems: [loaded.problem(with: "tls.certificates", error.message)])
        }
    }

    /// The keys whose new values wait for a restart. To begin or to cease to offer STARTTLS is among them.
    private func keysForNextStart(_ loaded: LoadedConfiguration) -> [String] {
        let isTLSReplaced = (self.certificates == nil) == loaded.configuration.tls.certificates.isEmpty
        return ConfigurationSchema.changedKeys(from: self.running.configuration, to: loaded.configuration).filter {
            $0 != "tls.certificates" || !isTLSReplaced
        }
    }
}
