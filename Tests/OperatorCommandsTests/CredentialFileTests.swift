import Foundation
import Testing

@testable import OperatorCommands
@testable import RelayConfiguration

/// Secrets in files of `$CREDENTIALS_DIRECTORY`.
@Suite("Credential files")
struct CredentialFileTests {
    private static let text = "host=db.example.org password=secret"

    /// Where systemd and container runtimes would put the files.
    private func withCredentials(
        _ name: String, folder mode: Int, file fileMode: Int, isLink: Bool = false,
        _ body: (String) throws -> Void
    ) async throws {
        let files = FileManager.default
        // Not TMPDIR, which may be closed to others.
        let folder = URL(filePath: "/tmp/relay-credentials-\(UUID().uuidString.prefix(8))")
        defer { try? files.removeItem(at: folder) }
        do {
            let directory = folder.appending(path: "credentials")
            let place = isLink ? folder.appending(path: "data") : directory
            for url in Set([directory, place]) { try files.createDirectory(at: url, withIntermediateDirectories: true) }
            let file = place.appending(path: name)
            try Data("\(Self.text)\n".utf8).write(to: file)
            if isLink { try files.createSymbolicLink(at: directory.appending(path: name), withDestinationURL: file) }
            func set(_ mode: Int, _ url: URL) throws {
                try files.setAttributes([.posixPermissions: mode], ofItemAtPath: url.path)
            }
            try set(fileMode, file)
            try set(0o755, folder)
            for url in Set([directory, place]) { try set(url == place ? mode : 0o755, url) }
            try body(directory.path)
            for url in Set([directory, place]) { try set(0o755, url) }
        }
    }

    @Test(
        "A credential that others can read is refused where they can get to it, for nodes and for migrate",
        arguments: [
            (0o500, 0o400, true), (0o500, 0o440, true), (0o755, 0o400, true), (0o755, 0o640, true),
            (0o700, 0o644, true), (0o750, 0o644, true), (0o755, 0o644, false), (0o711, 0o644, false),
            (0o755, 0o604, false), (0o755, 0o602, false),
        ], [false, true])
    func modes(_ modes: (folder: Int, file: Int, isGood: Bool), _ isLink: Bool) async throws {
        let key = "database.connection"
        try await self.withCredentials(key, folder: modes.folder, file: modes.file, isLink: isLink) { directory in
            let found: String
            do throws(ConfigurationError) {
                found = try ConfigurationLoader.credentials(in: directory)[key]?.text ?? ""
            } catch {
                found = "\(error)"
            }
            #expect(
                found.hasPrefix(modes.isGood ? Self.text : "credential \(directory)/\(key): others can read"),
                "\(found)")
            #expect(modes.isGood || !found.contains("secret"))
        }
        let name = AdministratorConnection<RelaydConfiguration>.credentialName
        try await self.withCredentials(name, folder: modes.folder, file: modes.file, isLink: isLink) { directory in
            let found: String
            do throws(ConfigurationError) {
                found = try AdministratorConnection<RelaydConfiguration>.find(
                    nil, environment: ["CREDENTIALS_DIRECTORY": directory])
            } catch {
                found = "\(error)"
            }
            #expect(modes.isGood ? found == Self.text : found.contains("\(name): others can read"), "\(found)")
        }
    }

    @Test("migrate takes the command line before the environment, and that before the credential")
    func order() async throws {
        let name = AdministratorConnection<RelaydConfiguration>.credentialName
        try await self.withCredentials(name, folder: 0o500, file: 0o400) { (directory) throws in
            var environment = ["CREDENTIALS_DIRECTORY": directory]
            #expect(try AdministratorConnection<RelaydConfiguration>.find(nil, environment: environment) == Self.text)
            environment[AdministratorConnection<RelaydConfiguration>.environmentName] = "host=environment"
            #expect(
                try AdministratorConnection<RelaydConfiguration>.find(nil, environment: environment)
                    == "host=environment")
            #expect(
                try AdministratorConnection<RelaydConfiguration>.find("host=option", environment: environment)
                    == "host=option")
        }
    }
}
