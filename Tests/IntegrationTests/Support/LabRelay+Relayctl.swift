import Foundation
import LabDatabase
import LabRelay
import LabSupport
import PostgresDriver
import QueueStore
import Testing

/// What a run of relayctl came to.
struct RelayctlRun {
    let status: Int32
    let output: String
    let errors: String

    var json: [String: Any] { get throws { try Self.object(self.output[...]) } }

    /// One object a line, as `-o jsonl` writes them.
    var jsonLines: [[String: Any]] { get throws { try self.output.split(separator: "\n").map(Self.object) } }

    private static func object(_ text: Substring) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }
}

extension LabRelay {
    /// Makes the login of an operator.
    func addOperator() async throws {
        try await self.store.pool.script("CREATE ROLE operator LOGIN IN ROLE relay_admin")
    }

    /// Runs relayctl, as the operator unless told otherwise; an empty connection leaves it out.
    @discardableResult
    func relayctl(
        _ arguments: [String], connection: String? = nil, input: String = ""
    ) async throws -> RelayctlRun {
        let relayctl = try BuiltProgram.named("relayctl")
        let connection = connection ?? self.postgres.connectionString(database: "relay", user: "operator")
        return try await withTemporaryFolder { folder in
            let (output, errors) = (folder.appending(path: "output"), folder.appending(path: "errors"))
            let given = folder.appending(path: "input")
            try input.write(to: given, atomically: false, encoding: .utf8)
            let child = try await ChildProcess(
                "/bin/sh",
                ["-c", "exec \"$@\" 2>\(errors.path) <\(given.path)", "sh", relayctl.path] + arguments
                    + (connection.isEmpty ? [] : ["--connection", connection]), log: output)
            let hasEnded = await child.ended(within: .seconds(60))
            if !hasEnded { await child.stop() }
            return RelayctlRun(
                status: try #require(child.terminationStatus),
                output: try String(contentsOf: output, encoding: .utf8),
                errors: try String(contentsOf: errors, encoding: .utf8))
        }
    }
}
