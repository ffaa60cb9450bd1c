import ArgumentParser
import Logging
import OperatorCommands
import PostgresDriver
import QueueStore
import RelayConfiguration
import Telemetry

/// Making the schema takes rights that a running node must not have, so it is a command of its own.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the schema of a database up to date.",
        discussion: """
            Run it once for a new database and once after each upgrade, as a role that may create schemas and roles. \
            Then grant the role relay_queue to the login that the nodes use. On a schema that is up to date it does \
            nothing. Exit codes: 0, 1 failed, 64 usage, 75 it did not get a lock, 78 the database, its connection string \
            or the login's rights are not what this program needs.
            """)

    @Option(
        name: .long,
        help: """
            Connection string or URI of libpq. Else the environment \(AdministratorConnection<RelaydConfiguration>.environmentName), else the file \
            \(AdministratorConnection<RelaydConfiguration>.credentialName) in $CREDENTIALS_DIRECTORY: all users can see a command line.
            """)
    var connection: String?

    @Option(name: .long, help: "Shards of a new queue, a power of two up to 4096; fixed from then on. 64 unless given.")
    var shards: Int?

    @Option(
        name: .long,
        help: """
            The beginning of the names of roles, which belong to the whole server: PREFIX_queue for nodes, PREFIX_admin for \
            operators, PREFIX_viewer for people who read. Fixed from the first run on; relay unless given.
            """)
    var roles: String?

    @Flag(name: .long, help: "Say what would be done, and change nothing.")
    var dryRun = false

    func validate() throws {
        if let roles, QueueRoles(prefix: roles) == nil {
            throw ValidationError(
                "--roles must be up to \(QueueRoles.maximumLength) lower-case letters, digits and underscores, and begin with a letter."
            )
        }
        guard let shards else { return }
        guard (1...4096).contains(shards), shards.nonzeroBitCount == 1 else {
            throw ValidationError("--shards must be a power of two up to 4096.")
        }
    }

    func run() async throws {
        LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: .error) }
        do {
            let connection = try AdministratorConnection<RelaydConfiguration>.find(self.connection)
            try await self.run(connection, Logger(label: "relayd"))
        } catch let error as MigrationError {
            Terminal.complain("the schema was not brought up to date: \(error)")
            throw Self.exitCode(error)
        } catch let error as ConfigurationError {
            Terminal.complain("\(error)")
            throw ExitCode.configuration
        }
    }

    private func run(_ connection: String, _ logger: Logger) async throws(MigrationError) {
        if self.dryRun {
            let plan = try await QueueMigrations.plan(
                adminConnectionString: connection, shardCount: self.shards,
                roles: self.roles.flatMap { QueueRoles(prefix: $0) }, logger: logger)
            print(plan)
            return
        }
        try await QueueMigrations.migrate(
            adminConnectionString: connection, shardCount: self.shards,
            roles: self.roles.flatMap { QueueRoles(prefix: $0) }, logger: logger
        ) { Terminal.complain($0) }
        Terminal.complain("the schema is at version \(QueueMigrations.latestVersion)")
    }

    private static func exitCode(_ error: MigrationError) -> ExitCode {
        switch error.code {
        case .unsuitable, .denied: .configuration
        case .locked: .locked
        case .database: .failure
        }
    }
}
