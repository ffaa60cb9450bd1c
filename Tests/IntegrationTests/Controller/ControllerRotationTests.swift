import Foundation
import LabRelay
import LabSupport
import Testing

/// The authority of a cluster rotated by the operator's own commands.
@Suite("Rotation of the authority by relayctl", .timeLimit(.minutes(3)))
struct ControllerRotationTests {
    @Test(
        "Who rotates the authority is never locked out, step by step or at once (control 14)",
        arguments: [Array(repeating: ["ca", "rotate", "--yes"], count: 3), [["ca", "rotate", "--yes", "--wait"]]])
    func rotated(_ commands: [[String]]) async throws {
        try await LabController.with { cluster in
            let replica = try cluster.replica()
            try await replica.process.start()
            try await withTemporaryFolder { home in
                let environment = ["HOME": home.path, "XDG_CONFIG_HOME": "\(home.path)/.config"]
                func relayctl(_ words: [String]) async throws -> ProgramRun {
                    let run = try await ProgramRun.of("relayctl", words, environment: environment)
                    try #require(run.status == 0, "\(words): \(run.errors)")
                    return run
                }
                _ = try await relayctl(
                    ["login", "--controller", replica.address, "--credential", cluster.credential.path])
                let before = try await self.authorities(relayctl(["ca", "status", "-o", "json"]))
                for command in commands {
                    _ = try await relayctl(command)
                    _ = try await relayctl(["status"])
                }
                let after = try await self.authorities(relayctl(["ca", "status", "-o", "json"]))
                #expect(before.count == 1 && after.count == 1 && before != after)
            }
        }
    }

    private func authorities(_ run: ProgramRun) throws -> [String] {
        let authorities = try #require(try run.json["authorities"] as? [[String: Any]])
        return authorities.compactMap { $0["sha256"] as? String }
    }
}
