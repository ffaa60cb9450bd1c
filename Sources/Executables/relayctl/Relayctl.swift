import ArgumentParser
import Console
import OperatorCommands
import RelayConfiguration
import SecureResolver

@main
enum Entry {
    static func main() async {
        // `config check` starts the resolver's process as a node does: it is this program again.
        if CommandLine.arguments.dropFirst() == ["resolver"] { ResolverChild.run() }
        await Relayctl.main()
    }
}

struct Relayctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relayctl", abstract: "Administration and diagnosis of the relay.",
        version: ProgramVersion.text(of: "relayctl"),
        subcommands: [
            Login.self, Context.self, Status.self, Check.self, Domain.self, Cert.self, User.self, Node.self, CA.self,
            Audit.self, Queue.self, DNS.self, Config.self, Completions<Relayctl>.self, ManualCommand<Relayctl>.self,
        ])
}

extension Relayctl: DocumentedProgram {
    typealias Settings = RelaydConfiguration

    static let facts = ProgramFacts(
        exitStatuses: [.init("0", "It was done.")]
            + ConsoleFailure.Status.allCases.map { .init("\($0.rawValue)", $0.meaning) },
        environment: Self.settingsEnvironment + [
            .init("NO_COLOR", "With any value but an empty one, tables have no colours. So it is with TERM=dumb."),
            .init(ContextStore.variable, "The context that counts where --context names none."),
            .init("COLUMNS", "How wide tables on a terminal may be; as wide as the terminal unless set."),
            .init("SUDO_USER", "Who is named in the record of an action, where sudo set it."),
            .init("PGPASSFILE, PGSSLROOTCERT, ...", "What the connection string leaves open, as libpq reads it."),
        ],
        files: [
            Self.configurationFile,
            .init("~/.config/relayctl", "Contexts: where controllers are, and credentials. It is closed to others."),
        ], seeAlso: ["relayd(8)", "relayd.yaml(5)"])
}
