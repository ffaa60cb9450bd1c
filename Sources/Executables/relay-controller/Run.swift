import ArgumentParser
import ControlPlane
import Logging
import OperatingSystem
import OperatorCommands
import RelayConfiguration
import Telemetry

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run a replica until SIGTERM (the default).")

    @OptionGroup var options: ConfigurationOptions<ControllerConfiguration>

    func run() async throws {
        // The process has keys of the cluster in memory.
        CoreDump.forbid()
        let loaded = try self.options.load()
        let registry = MetricsRegistry.ofController
        let metrics = ControllerMetrics(
            in: registry, version: ProgramVersion.number, revision: ProgramVersion.revision)
        let level = Logger.Level(rawValue: loaded.configuration.telemetry.logLevel.rawValue) ?? .info
        let writer = LogWriter(label: "relay-controller", metrics: metrics.log)
        LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: level, metrics: metrics.log, writer: writer) }
        // Whoever reads the log gets to hear why the replica ended, if it reads at all.
        defer { writer.flush(within: .seconds(2)) }
        let logger = Logger(label: "relay-controller")
        do {
            try await Replica(loaded, metrics: metrics, registry: registry, logger: logger).run()
        } catch let error as ConfigurationError {
            // Told as the faults of the file itself are, behind what was logged before.
            writer.flush(within: .seconds(2))
            Terminal.complain("\(error)")
            throw ExitCode.configuration
        } catch {
            logger.critical("the replica ended", metadata: ["error": "\(error)"])
            throw ExitCode.failure
        }
    }
}
