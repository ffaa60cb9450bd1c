import ControlAPI
import Foundation
import LabRelay
import LabSupport
import Testing

/// A controller and its cluster after something was lost or has expired.
@Suite("Recovery of a controller", .timeLimit(.minutes(5)))
struct ControllerRecoveryTests {
    private static let year = 365 * 86_400

    private func recover(
        _ cluster: LabController, _ name: String, _ words: String...
    ) async throws -> (run: ProgramRun, credential: URL) {
        let file = cluster.folder.url.appending(path: "\(name).pem")
        let run = try await cluster.run(["recover", "--credential-file", file.path] + words)
        return (run, file)
    }

    @Test("kill -9 and a start leave nothing to repair, time after time")
    func killed() async throws {
        try await LabController.with { cluster in
            let replica = try cluster.replica()
            try await replica.process.start()
            for _ in 0..<3 {
                let before = try await replica.status(by: cluster.credential)
                try await replica.process.restart(afterKill: true)
                let after = try await replica.status(by: cluster.credential)
                #expect(after.stateVersion == before.stateVersion && after.cluster == "lab")
            }
        }
    }

    @Test("The certificate of a replica that was stopped for longer than its life is renewed at once (control 13)")
    func ownCertificate() async throws {
        var options = LabController.Options()
        options.settings = ["certificates.lifetime": "10s"]
        try await LabController.with(options) { cluster in
            let replica = try cluster.replica()
            try await replica.process.start()
            #expect(try await replica.refusal(of: cluster.credential) == nil)
            replica.process.suspend()
            try await Task.sleep(for: .seconds(12))
            replica.process.resume()
            let isBack = try await eventually(within: .seconds(10)) {
                try await replica.refusal(of: cluster.credential) == nil
            }
            #expect(isBack)
            // And a start needs no certificate of before.
            try await replica.process.restart(afterKill: true)
            #expect(try await replica.refusal(of: cluster.credential) == nil)
        }
    }

    @Test("recover replaces a lost credential while replicas run, and ends the lost one (control 13)")
    func lostCredential() async throws {
        try await LabController.with { cluster in
            let replica = try cluster.replica()
            try await replica.process.start()
            #expect(try await replica.refusal(of: cluster.credential) == nil)
            let (run, next) = try await self.recover(cluster, "next")
            #expect(
                run.status == 0 && run.errors.contains("is the credential of relay://lab/admin/admin"), "\(run.errors)")
            #expect(try await replica.refusal(of: next) == nil)
            let isEnded = try await eventually(within: .seconds(10)) {
                try await replica.refusal(of: cluster.credential) != nil
            }
            #expect(isEnded)
            // Another administrator has a credential besides.
            let (_, second) = try await self.recover(cluster, "second", "--admin", "bob@example.test")
            #expect(try await replica.refusal(of: second) == nil)
            #expect(try await replica.refusal(of: next) == nil)
            #expect(try await cluster.count("control.audit WHERE action = 'cluster.recover'") == 2)
        }
    }

    @Test("After everything has expired recover says what it needs, and a new authority is served at once (control 13)")
    func everythingExpired() async throws {
        try await LabController.with(isMade: false) { cluster in
            // Made eleven years ago.
            let clock = try FakeClock(in: cluster.folder.url, ahead: .seconds(-11 * Self.year))
            try await cluster.make(environment: clock.environment)
            let replica = try cluster.replica()
            try await replica.process.launch()
            try await replica.process.waitUntilNotReady("[-]certificate failed: the authority ended at")
            #expect(try await replica.refusal(of: cluster.credential) != nil)

            let (refused, none) = try await self.recover(cluster, "none")
            #expect(refused.status == 1 && refused.errors.contains("run it with --new-authority"), "\(refused.errors)")
            #expect(!FileManager.default.fileExists(atPath: none.path))
            let (run, next) = try await self.recover(cluster, "next", "--new-authority")
            #expect(run.status == 0, "\(run.errors)")
            try await replica.process.waitUntilReady()
            #expect(try await replica.status(by: next).cluster == "lab")
            #expect(try await replica.refusal(of: cluster.credential) != nil)
        }
    }
}
