import ArgumentParser
import NodeState
import OperatorCommands
import RelayConfiguration
import SecureResolver

@main
enum Entry {
    static func main() async {
        // Before anything else is set up: this process has nothing to do with a node but its program.
        if CommandLine.arguments.dropFirst() == ["resolver"] { ResolverChild.run() }
        if let trial = Self.lockTrial { trial.run() }
        await Relayd.main()
    }

    /// For whoever wants to know what the resolver's lock holds: `relayd resolver-lock open`.
    private static var lockTrial: LockTrial? {
        let words = CommandLine.arguments.dropFirst()
        return words.first == "resolver-lock" && words.count == 2 ? words.last.flatMap(LockTrial.init(rawValue:)) : nil
    }
}

struct Relayd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relayd", abstract: "The edge node: SMTP in, queue, SMTP out with DANE enforced.",
        version: ProgramVersion.text(of: "relayd"),
        subcommands: [
            Run.self, Migrate.self, Config.self, Auth.self, Completions<Relayd>.self, ManualCommand<Relayd>.self,
        ],
        defaultSubcommand: Run.self)
}

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain, check and show the configuration.",
        subcommands: [
            ConfigDefaults<RelaydConfiguration>.self, ConfigCheck<NodeSettingsCheck>.self,
            ConfigShow<RelaydConfiguration>.self,
        ])
}

extension Relayd: DocumentedProgram {
    typealias Settings = RelaydConfiguration

    static let facts = ProgramFacts(
        exitStatuses: [
            .init("0", "It was done; a node has drained after SIGTERM."),
            .init("\(ExitCode.failure.rawValue)", "It failed; an address is in use."),
            .init("\(ExitCode.validationFailure.rawValue)", "The command line is wrong."),
            .init("\(ExitCode.locked.rawValue)", "`relayd migrate` did not get a lock; try again."),
            .init(
                "\(ExitCode.configuration.rawValue)",
                "The settings, a file that they name, the schema of the database or the login's rights must change first."
            ),
        ],
        environment: Self.settingsEnvironment + [
            .init(
                AdministratorConnection<RelaydConfiguration>.environmentName,
                """
                The connection string of `relayd migrate`, unless --connection gives it. Without both it is the file \
                \(AdministratorConnection<RelaydConfiguration>.credentialName) in CREDENTIALS_DIRECTORY.
                """),
            .init("PGPASSFILE, PGSSLROOTCERT, ...", "What the connection string leaves open, as libpq reads it."),
        ],
        files: [Self.configurationFile], seeAlso: ["relayctl(8)", "relayd.yaml(5)"])
}

/// Exit codes of sysexits.h, as the operators' conventions name them.
extension ExitCode {
    /// Somebody else has a lock for now.
    static let locked = ExitCode(75)
}
