import ArgumentParser
import ControlStore
import Logging
import OperatorCommands
import PostgresDriver
import RelayConfiguration

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the schema of a database up to date.",
        discussion: """
            Run it after each upgrade, as a role that may create schemas and roles; `init` does it for a new database. On a schema \
            that is up to date it does nothing. Exit codes: 0, 1 failed, 64 usage, 75 it did not get a lock, 78 the database, its \
            connection string or the login's rights are not what this program needs.
            """)

    @OptionGroup var connection: AdministratorOptions

    @Option(
        name: .long,
        help: """
            The beginning of the name of the role, which belongs to the whole server: PREFIX_control for controllers. Fixed from \
            the first run on; relay unless given.
            """)
    var roles: String?

    @Flag(name: .long, help: "Say what would be done, and change nothing.")
    var dryRun = false

    @OptionGroup var options: ConfigurationOptions<ControllerConfiguration>

    func validate() throws {
        guard let roles, ControlRoles(prefix: roles) == nil else { return }
        throw ValidationError(
            "--roles must be up to \(RoleNames.maximumPrefixLength) lower-case letters, digits and underscores, and begin with a letter."
        )
    }

    func run() async throws {
        let loaded = try self.options.load()
        let roles = self.roles.flatMap { ControlRoles(prefix: $0) }
        try await ControllerFailure.exits {
            let connection = try self.connection.find(else: loaded)
            guard self.dryRun else { return try await Self.apply(connection, roles: roles) }
            print(
                try await ControlMigrations.plan(
                    adminConnectionString: connection, roles: roles, logger: ControllerDatabase.quiet))
        }
    }

    /// Applies what is missing, and tells of it.
    static func apply(_ connection: String, roles: ControlRoles?) async throws {
        try await ControlMigrations.migrate(
            adminConnectionString: connection, roles: roles, logger: ControllerDatabase.quiet
        ) { Terminal.complain($0) }
        Terminal.complain("the schema is at version \(ControlMigrations.latestVersion)")
    }
}

/// The connection of a role that may make the schema, the same for `init` and `migrate`.
struct AdministratorOptions: ParsableArguments {
    private typealias Administrator = AdministratorConnection<ControllerConfiguration>

    @Option(
        name: .long,
        help: """
            Connection string or URI of libpq. Else the environment \(Administrator.environmentName), else the file \
            \(Administrator.credentialName) in $CREDENTIALS_DIRECTORY, else database.connection: all users can see a command line.
            """)
    var connection: String?

    func find(else loaded: LoadedSettings<ControllerConfiguration>) throws(ConfigurationError) -> String {
        try Administrator.findIfGiven(self.connection) ?? loaded.configuration.database.connection
    }
}
