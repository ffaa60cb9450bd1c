import ArgumentParser
import ClusterModel
import ControlPlane
import ControlStore
import Foundation
import OperatingSystem
import OperatorCommands

/// Where the credential of an administrator goes, the same for `init` and `recover`.
struct CredentialFile: ParsableArguments {
    @Option(
        name: .long,
        help:
            "The file that the credential is written to, with mode 0600; it must not exist. `relayctl login` takes it.")
    var credentialFile: String

    @Option(name: .long, help: "The name of the administrator: a to z, 0 to 9 and the signs . _ @ -")
    var admin = "admin"

    func validate() throws {
        let anyCluster = ClusterName("any")
        guard anyCluster.flatMap({ ClusterIdentity(cluster: $0, role: .admin, name: self.admin) }) != nil else {
            throw ValidationError("--admin has 1 to 128 of a to z, 0 to 9 and the signs . _ @ -")
        }
        guard !FileManager.default.fileExists(atPath: self.credentialFile) else {
            throw ValidationError("\(self.credentialFile) exists, and is not overwritten.")
        }
    }

    /// Writes the file, then records the credential. A credential that is surely not recorded leaves no file.
    func write(_ draft: CredentialDraft, record: () async throws -> Void) async throws {
        try PrivateFile.replace(self.credentialFile, with: Array(draft.pem.utf8))
        do {
            try await record()
        } catch let error as ControlStoreError where error.code == .unreachable {
            Terminal.complain(
                "\(self.credentialFile) is kept: the database may have recorded it before it was lost. Try it, or run this again."
            )
            throw error
        } catch {
            try PrivateFile.remove(self.credentialFile)
            throw error
        }
        Terminal.complain(
            "\(self.credentialFile) is the credential of \(draft.identity), until \(draft.notAfter). Keep it secret.")
    }
}
