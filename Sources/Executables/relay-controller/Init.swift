import ArgumentParser
import ClusterModel
import ControlPlane
import ControlStore
import OperatingSystem
import OperatorCommands
import RelayConfiguration

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a cluster: its schema, its authority, its key-encryption key and the first administrator.",
        discussion: """
            Run it once, as a role of the database that may create schemas and roles. Then grant the role relay_control to the \
            login of database.connection, and start the replicas. It overwrites nothing: neither a cluster nor a file. Exit \
            codes: 0, 1 there is a cluster already, 64 usage, 69 no database, 75 try again, 78 configuration.
            """)

    @Option(
        name: .long, help: "The name of the cluster, for good: a lower-case letter, then letters, digits and hyphens.")
    var cluster: String

    @OptionGroup var credential: CredentialFile
    @OptionGroup var connection: AdministratorOptions
    @OptionGroup var options: ConfigurationOptions<ControllerConfiguration>

    func validate() throws {
        guard ClusterName(self.cluster) != nil else {
            throw ValidationError("--cluster is a lower-case letter, then up to 39 letters, digits and hyphens.")
        }
    }

    func run() async throws {
        guard let name = ClusterName(self.cluster) else { throw ExitCode.validationFailure }
        let loaded = try self.options.load()
        try await ControllerFailure.exits {
            let connection = try self.connection.find(else: loaded)
            try await Migrate.apply(connection, roles: nil)
            try await ControllerDatabase.with(connection, loaded) { store in
                try await self.make(name, in: store, loaded)
            }
        }
    }

    private func make(
        _ name: ClusterName, in store: ControlStore, _ loaded: LoadedSettings<ControllerConfiguration>
    ) async throws {
        // Looked at first: a cluster that is there keeps its key, whatever file the settings name.
        try await ClusterFounding.check(store)
        if let path = try loaded.makeKeyFile() {
            Terminal.complain(
                "\(path) is the key-encryption key. Keep a copy apart from the database: no secret opens without it.")
        }
        let founding = ClusterFounding(
            store, keys: try loaded.keyRing(), terms: loaded.configuration.certificateTerms, clock: .system)
        let draft = try founding.prepare(name, admin: self.credential.admin)
        try await self.credential.write(draft) { try await founding.record(draft) }
        Terminal.complain("the cluster \(name) is made: grant relay_control to the login of database.connection")
    }
}
