import ArgumentParser
import ControlPlane
import OperatingSystem
import OperatorCommands
import RelayConfiguration

struct Recover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give the cluster an administrator by the database and the key-encryption key alone.",
        discussion: """
            For a lost credential, or after everything has expired. Other keys of this administrator are revoked. It works while \
            replicas run. With --new-authority all other certificates end: each replica makes its own anew by itself, and each \
            node and each person needs a new token or credential. Exit codes: 0, 1 failed, 64 usage, 69 no database, 75 try \
            again, 78 configuration.
            """)

    @Flag(name: .long, help: "Make a new authority, because the old one has ended, or its key is lost.")
    var newAuthority = false

    @OptionGroup var credential: CredentialFile
    @OptionGroup var options: ConfigurationOptions<ControllerConfiguration>

    func run() async throws {
        let loaded = try self.options.load()
        try await ControllerFailure.exits {
            let keys = try loaded.keyRing()
            try await ControllerDatabase.with(loaded.configuration.database.connection, loaded) { store in
                let recovery = ClusterRecovery(
                    store, keys: keys, terms: loaded.configuration.certificateTerms, clock: .system)
                let draft = try await recovery.prepare(
                    admin: self.credential.admin, newAuthority: self.newAuthority)
                try await self.credential.write(draft) { try await recovery.record(draft) }
            }
        }
    }
}
