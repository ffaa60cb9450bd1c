import ArgumentParser
import EdgeNode
import Logging
import OperatingSystem
import OperatorCommands
import RelayConfiguration
import Telemetry

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the node until SIGTERM (the default).")

    @OptionGroup var options: ConfigurationOptions<RelaydConfiguration>

    func run() async throws {
        let loaded = try self.options.load()
        let configuration = loaded.configuration
        let registry = MetricsRegistry.ofRelayd
        let metrics = RelayMetrics(
            in: registry, listeners: configuration.smtp.listeners.map(\.name),
            hasController: configuration.hasController, version: ProgramVersion.number,
            revision: ProgramVersion.revision)
        let level = Logger.Level(rawValue: configuration.telemetry.logLevel.rawValue) ?? .info
        let writer = LogWriter(label: "relayd", metrics: metrics.log)
        LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: level, metrics: metrics.log, writer: writer) }
        // Whoever reads the log gets to hear why the node ended, if it reads at all.
        defer { writer.flush(within: .seconds(2)) }
        let logger = Logger(label: "relayd")
        let options = self.options
        let node = EdgeNode(
            loaded, version: ProgramVersion.text(of: "relayd"), number: ProgramVersion.number, metrics: metrics,
            registry: registry, logger: logger, time: .system, random: .system
        ) {
            () throws(ConfigurationError) in try options.read()
        }
        do {
            try await node.run()
        } catch let error as ConfigurationError {
            // Told as the faults of the file itself are, behind what was logged before.
            writer.flush(within: .seconds(2))
            Terminal.complain("\(error)")
            throw ExitCode.configuration
        } catch {
            logger.critical("the node ended", metadata: ["error": "\(error)"])
            throw ExitCode.failure
        }
    }
}
