import Foundation
import LabSupport
import Testing

/// What a run of one of our programs, or of another, came to.
struct ProgramRun {
    let status: Int32
    let output: String
    let errors: String

    /// What it wrote, as one JSON object.
    var json: [String: Any] { get throws { try Self.object(self.output[...]) } }

    /// One object a line, as `-o jsonl` writes them.
    var jsonLines: [[String: Any]] { get throws { try self.output.split(separator: "\n").map(Self.object) } }

    private static func object(_ text: Substring) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }

    /// Runs `relayd` or `relayctl`, with this text as its standard input, to its end.
    static func of(
        _ program: String, _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) async throws -> ProgramRun {
        let path = try BuiltProgram.named(program).path
        return try await Self.of([path] + arguments, input: input, environment: environment)
    }

    /// Runs a program, with this text as its standard input, to its end.
    static func of(
        _ words: [String], input: String = "", environment: [String: String] = [:]
    ) async throws -> ProgramRun {
        try await withTemporaryFolder { folder in
            let (output, errors) = (folder.appending(path: "output"), folder.appending(path: "errors"))
            let given = folder.appending(path: "input")
            try input.write(to: given, atomically: false, encoding: .utf8)
            let child = try await ChildProcess(
                "/bin/sh", ["-c", "exec \"$@\" 2>\(errors.path) <\(given.path)", "sh"] + words,
                environment: environment, log: output)
            let hasEnded = await child.ended(within: .seconds(60))
            if !hasEnded { await child.stop() }
            return ProgramRun(
                status: try #require(child.terminationStatus),
                output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
                errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
        }
    }
}
