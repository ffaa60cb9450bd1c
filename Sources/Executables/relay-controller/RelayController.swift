import ArgumentParser
import MailModel
import OperatorCommands
import RelayConfiguration

@main
struct RelayController: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-controller",
        abstract: "The controller: makes and keeps the identity of a cluster, and the state that its nodes serve by.",
        version: ProgramVersion.text(of: "relay-controller"),
        subcommands: [
            Run.self, Init.self, Recover.self, Migrate.self, Rewrap.self, Config.self,
            Completions<RelayController>.self, ManualCommand<RelayController>.self,
        ],
        defaultSubcommand: Run.self)
}

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain, check and show the configuration.",
        subcommands: [
            ConfigDefaults<ControllerConfiguration>.self, ConfigCheck<ControllerSettingsCheck>.self,
            ConfigShow<ControllerConfiguration>.self,
        ])
}

/// How `config check` judges the settings: it reads the keys.
struct ControllerSettingsCheck: SettingsCheck {
    func warnings(of loaded: LoadedSettings<ControllerConfiguration>) async throws -> [ConfigurationProblem] {
        _ = try loaded.keyRing()
        return loaded.warnings
    }
}

extension RelayController: DocumentedProgram {
    typealias Settings = ControllerConfiguration

    static let facts = ProgramFacts(
        exitStatuses: [
            .init("0", "It was done; a replica has drained after SIGTERM."),
            .init(
                "\(ExitCode.failure.rawValue)",
                "It failed: an address is in use, or the cluster to be made exists already."),
            .init("\(ExitCode.validationFailure.rawValue)", "The command line is wrong."),
            .init("\(ExitCode.unreachable.rawValue)", "The database cannot be reached."),
            .init("\(ExitCode.temporary.rawValue)", "The database is too busy, or did not give a lock; try again."),
            .init(
                "\(ExitCode.configuration.rawValue)",
                "The settings, a file that they name, the schema of the database or the login's rights must change first."
            ),
        ],
        environment: Self.settingsEnvironment + [
            .init(
                AdministratorConnection<ControllerConfiguration>.environmentName,
                """
                The connection string of `init` and `migrate`, unless --connection gives it. Without both it is the file \
                \(AdministratorConnection<ControllerConfiguration>.credentialName) in CREDENTIALS_DIRECTORY, and else \
                database.connection.
                """),
            .init("PGPASSFILE, PGSSLROOTCERT, ...", "What the connection string leaves open, as libpq reads it."),
        ],
        files: [
            Self.configurationFile,
            .init(
                ControllerConfiguration.defaultKeyFile,
                "The key-encryption key, unless keys.encryption-key-file names another file."),
        ], seeAlso: ["relayctl(8)", "relay-controller.yaml(5)"])
}

/// Exit codes of sysexits.h, as the operators' conventions name them.
extension ExitCode {
    static let unreachable = ExitCode(69)
    static let temporary = ExitCode(75)
}
