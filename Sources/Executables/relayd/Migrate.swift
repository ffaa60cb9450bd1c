import ArgumentParser
import Logging
import QueueStore
import Telemetry

/// Making the schema takes rights that a running node must not have, so it is a command of its own.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the schema of a database up to date.",
        discussion: """
            Run it once for a new database and once after each upgrade, as a role that may create schemas and roles. \
            Then grant the role relay_queue to the login that the nodes use. It does nothing where nothing is missing.
            """)

    @Option(name: .long, help: "Connection string or URI of libpq.")
    var connection: String

    @Option(name: .long, help: "Shards of a new queue, a power of two up to 4096; fixed from then on.")
    var shards = 64

    func validate() throws {
        guard (1...4096).contains(self.shards), self.shards.nonzeroBitCount == 1 else {
            throw ValidationError("--shards must be a power of two up to 4096.")
        }
    }

    func run() async throws {
        LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: .warning) }
        do {
            try await QueueMigrations.migrate(
                adminConnectionString: self.connection, shardCount: self.shards, logger: Logger(label: "relayd"))
        } catch {
            Terminal.complain("the schema was not brought up to date: \(error)")
            throw ExitCode.failure
        }
        Terminal.complain("the schema is at version \(QueueMigrations.latestVersion)")
    }
}
