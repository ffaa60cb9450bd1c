import ArgumentParser
import ControlPlane
import OperatorCommands
import RelayConfiguration

struct Rewrap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Seal all secrets anew under the current key-encryption key.",
        discussion: """
            Run it when each replica has the new key as its current one and the former key among its previous ones. Replicas go \
            on meanwhile. After it no former key is needed. Exit codes: 0, 1 failed, 64 usage, 69 no database, 75 try again, 78 \
            configuration.
            """)

    @OptionGroup var options: ConfigurationOptions<ControllerConfiguration>

    func run() async throws {
        let loaded = try self.options.load()
        try await ControllerFailure.exits {
            let keys = try loaded.keyRing()
            let count = try await ControllerDatabase.with(loaded.configuration.database.connection, loaded) { store in
                try await KeyRewrapping(store, keys: keys).run()
            }
            Terminal.complain("\(count) secrets were sealed anew; all are under key \(keys.identifier)")
        }
    }
}
