import Cryptography
import Foundation
import LabPeers
import LabRelay
import LabSupport
import Synchronization
import Testing

/// The key-encryption key, which everything secret in the database is sealed under.
@Suite("Rotation of the key-encryption key", .timeLimit(.minutes(3)))
struct ControllerKeyTests {
    /// Stores certificates with their keys, one after the other, until it is told to end.
    private final class Load: Sendable {
        private let state = Mutex((stored: 0, isOver: false))
        private let leaf: TestPKI.Leaf

        init() throws { self.leaf = try TestPKI().leaf("mx.load.test") }

        var stored: Int { self.state.withLock(\.stored) }

        func end() { self.state.withLock { $0.isOver = true } }

        func run(_ replica: LabController.Replica, by credential: URL) async throws {
            while !self.state.withLock(\.isOver) {
                let number = self.stored
                try await replica.importCertificate(
                    "load-\(number % 40)", chain: self.leaf.chainPEM, key: self.leaf.key.pem, by: credential)
                self.state.withLock { $0.stored += 1 }
            }
        }
    }

    @Test("rewrap under load seals everything anew; then the former key is needed no more (control 17)")
    func rewrap() async throws {
        try await LabController.with { cluster in
            let former = try String(contentsOf: cluster.keyFile, encoding: .utf8)
            let oldFile = try cluster.folder.write(former, to: "former.key")
            let newFile = try cluster.folder.write(String(repeating: "5a", count: 32) + "\n", to: "new.key")
            let before = try cluster.replica("before")
            try await before.process.start()
            let load = try Load()
            try await self.store(load, until: 10, before, cluster)
            await before.process.stop()

            let both = [
                "keys.encryption-key-file": newFile.path, "keys.previous-encryption-key-files": "[\(oldFile.path)]",
            ]
            let during = try cluster.replica("during", settings: both)
            try await during.process.launch()
            // Ready, and told to be under way.
            let isTold = await eventually(within: .seconds(20)) {
                let answer = try? await during.process.readiness()
                return answer?.status == 200
                    && answer?.text.contains("[-]keys failed: this replica seals under key") == true
            }
            #expect(isTold)
            let run = try await withThrowingTaskGroup(of: Void.self) { group in
                let more = try Load()
                group.addTask { try await more.run(during, by: cluster.credential) }
                _ = await eventually { more.stored >= 5 }
                let run = try await cluster.run(["rewrap"], settings: both)
                more.end()
                try await group.waitForAll()
                return run
            }
            #expect(run.status == 0 && run.errors.contains("secrets were sealed anew"), "\(run.errors)")
            try await during.process.waitUntilReady()
            await during.process.stop()

            try FileManager.default.removeItem(at: oldFile)
            try FileManager.default.removeItem(at: cluster.keyFile)
            let after = try cluster.replica("after", settings: ["keys.encryption-key-file": newFile.path])
            try await after.process.start()
            try await self.store(try Load(), until: 2, after, cluster)
            let again = try await cluster.run(["rewrap"], settings: ["keys.encryption-key-file": newFile.path])
            #expect(again.status == 0 && again.errors.hasPrefix("0 secrets were sealed anew"), "\(again.errors)")
        }
    }

    private func store(
        _ load: Load, until count: Int, _ replica: LabController.Replica, _ cluster: LabController
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await load.run(replica, by: cluster.credential) }
            #expect(await eventually { load.stored >= count })
            load.end()
            try await group.waitForAll()
        }
    }

    @Test("Without a former key that is still needed rewrap says which one, and nothing is lost (control 17)")
    func missingKey() async throws {
        try await LabController.with { cluster in
            let file = try cluster.folder.write(String(repeating: "5a", count: 32) + "\n", to: "new.key")
            let run = try await cluster.run(["rewrap"], settings: ["keys.encryption-key-file": file.path])
            #expect(run.status == 78 && run.errors.contains("a secret is sealed under key "), "\(run.errors)")
            let replica = try cluster.replica()
            try await replica.process.start()
            #expect(try await replica.refusal(of: cluster.credential) == nil)
        }
    }
}
