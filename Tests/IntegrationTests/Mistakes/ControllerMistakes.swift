import ControlStore
import Foundation
import LabDatabase
import LabSupport
import Logging

/// Those of a controller.
enum ControllerMistakes {
    private static let program = "relay-controller"

    /// Settings but for these sections: whole values in YAML, by first key.
    private static func check(_ title: String, _ sections: [String: String] = [:], mode: Int = 0o600) -> Mistake {
        let good = [
            "controller": "{name: controller-1}", "keys": "{encryption-key-file: DIR/encryption.key}",
            "telemetry": "{address: \"127.0.0.1:0\"}", "control": "{listeners: [\"127.0.0.1:0\"]}",
        ]
        let text = good.merging(sections) { $1 }.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\n" }.joined()
        var mistake = Mistake(title, text: text, mode: mode)
        mistake.program = Self.program
        return mistake
    }

    private static func running(_ title: String, on connection: String, _ sections: [String: String] = [:]) -> Mistake {
        var mistake = Self.check(title, sections.merging(["database": "{connection: \"\(connection)\"}"]) { $1 })
        mistake.arguments = ["run"]
        return mistake
    }

    static let files: [Mistake] = [
        Self.check("a slip in a key of the controller", ["control": "{listener: [\"127.0.0.1:9926\"]}"]),
        Self.check("the file of the key-encryption key does not exist", ["keys": "{encryption-key-file: DIR/absent}"]),
        Self.check("others can read the key-encryption key", ["keys": "{encryption-key-file: DIR/open.key}"]),
        Self.check(
            "the file of the key-encryption key is something else", ["keys": "{encryption-key-file: DIR/garbage}"]),
        Self.check(
            "the key-encryption key stands in a file that others can read",
            ["keys": "{encryption-key: \(String(repeating: "5a", count: 32))}"], mode: 0o644),
        Self.check(
            "the former key is the current one",
            [
                "keys":
                    "{encryption-key-file: DIR/encryption.key, previous-encryption-key-files: [DIR/encryption.key]}"
            ]),
        Self.check(
            "two listeners at one address", ["control": "{listeners: [\"127.0.0.1:9926\", \"127.0.0.1:9926\"]}"]),
        Mistake(
            "a cluster with a name that certificates cannot have", of: Self.program,
            command: ["init", "--cluster", "Mail", "--credential-file", "DIR/other.pem"]),
        Mistake(
            "a credential file that exists", of: Self.program,
            command: ["recover", "--credential-file", "DIR/encryption.key"]),
        Mistake("recover without a file", of: Self.program, command: ["recover"]),
    ]

    /// Makes the databases, and a cluster in one of them.
    static func prepare(_ server: PrivatePostgres, in folder: URL) async throws {
        try await server.command("CREATE ROLE humble LOGIN")
        for name in ["bare", "empty", "newer", "cluster"] { try await server.command("CREATE DATABASE \(name)") }
        for name in ["empty", "newer"] {
            try await ControlMigrations.migrate(
                adminConnectionString: server.connectionString(database: name), logger: .quiet)
        }
        try await server.command(
            "INSERT INTO control.schema_version (version, name, least_program) VALUES (9999, 'later', 9999)",
            database: "newer")
        try await ChildProcess.run(
            try BuiltProgram.named(Self.program).path,
            [
                "init", "--cluster", "lab", "--credential-file", folder.appending(path: "admin.pem").path,
                "--connection",
                server.connectionString(database: "cluster"), "--set",
                "keys.encryption-key-file=\(folder.appending(path: "encryption.key").path)",
            ])
    }

    /// Those at a database: one without a schema, one without a cluster, and one with the schema of a newer version.
    static func database(_ server: PrivatePostgres) -> [Mistake] {
        func connection(_ name: String, user: String = PrivatePostgres.superuser) -> String {
            server.connectionString(database: name, user: user)
        }
        return [
            Self.running("a replica on a database without a schema", on: connection("bare")),
            Self.running("a replica on a database without a cluster", on: connection("empty")),
            Self.running("a replica on a schema that a newer version made", on: connection("newer")),
            Self.running("a replica as a login without rights", on: connection("empty", user: "humble")),
            Self.running(
                "a listener of a replica is taken", on: connection("cluster"),
                ["control": "{listeners: [\"127.0.0.1:HELD\"]}"]),
            Self.running(
                "a replica with another key-encryption key", on: connection("cluster"),
                ["keys": "{encryption-key-file: DIR/other-encryption.key}"]),
        ]
    }
}
