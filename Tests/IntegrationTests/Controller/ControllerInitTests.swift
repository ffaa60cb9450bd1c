import ControlAPI
import Foundation
import LabDatabase
import LabRelay
import LabSupport
import PostgresDriver
import Testing

@Suite("relay-controller init", .timeLimit(.minutes(3)))
struct ControllerInitTests {
    private func mode(_ file: URL) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
    }

    private func words(_ cluster: LabController, _ file: URL) -> [String] {
        [
            "init", "--cluster", "other", "--credential-file", file.path, "--connection",
            cluster.database.connectionString(),
        ]
    }

    @Test("init makes the cluster, its key and its first administrator, whom a replica then serves (control 10)")
    func makes() async throws {
        try await LabController.with { cluster in
            #expect(try self.mode(cluster.credential) == 0o600)
            #expect(try self.mode(cluster.keyFile) == 0o600)
            let replica = try cluster.replica()
            try await replica.process.start()
            let status = try await replica.status(by: cluster.credential)
            #expect(status.cluster == "lab" && status.replica == "controller-1")
            let ready = try await replica.process.readiness(isVerbose: true)
            for check in ["database", "cluster", "keys", "certificate", "draining"] {
                #expect(ready.text.contains("[+]\(check) ok"), "\(ready.text)")
            }
        }
    }

    @Test("docs/controller.md has every metric of a replica, and every check of /readyz")
    func page() async throws {
        let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/controller.md")
        let page = try String(contentsOf: url, encoding: .utf8)
        try await LabController.with { cluster in
            let replica = try cluster.replica()
            try await replica.process.start()
            let names = try await replica.process.metrics().matches(of: #/(?m)^# TYPE relay_controller_(\w+)/#)
                .map { String($0.output.1) }
            #expect(names.count > 10)
            for name in names { #expect(page.contains("`\(name)`") || page.contains("`\(name){"), "\(name)") }
            let checks = try await replica.process.readiness(isVerbose: true).text
                .matches(of: #/(?m)^\[.\](\w+) ok/#).map { String($0.output.1) }
            #expect(checks.count == 5)
            for check in checks { #expect(page.contains("| `\(check)` |"), "\(check)") }
        }
    }

    @Test("A second init overwrites neither cluster nor key nor credential, and says so (control 10)")
    func overwritesNothing() async throws {
        try await LabController.with { cluster in
            let files = [cluster.credential, cluster.keyFile]
            let before = try files.map { try Data(contentsOf: $0) }
            let other = cluster.folder.url.appending(path: "other.pem")
            let again = try await cluster.run(self.words(cluster, other))
            #expect(again.status == 1, "\(again.errors)")
            #expect(again.errors.contains("the database has the cluster lab already, and nothing was changed"))
            #expect(!FileManager.default.fileExists(atPath: other.path))
            // Not even with a key that is not there.
            let keyless = cluster.folder.url.appending(path: "absent.key")
            let absent = try await cluster.run(
                self.words(cluster, other), settings: ["keys.encryption-key-file": keyless.path])
            #expect(absent.status == 1 && !FileManager.default.fileExists(atPath: keyless.path), "\(absent.errors)")

            let same = try await cluster.run(self.words(cluster, cluster.credential))
            #expect(same.status == 64 && same.errors.contains("exists, and is not overwritten"), "\(same.errors)")
            #expect(try files.map { try Data(contentsOf: $0) } == before)
            #expect(try await cluster.count("control.cluster") == 1)
        }
    }

    @Test("Two that begin at once make one cluster (control 10)")
    func atOnce() async throws {
        try await LabController.with(isMade: false) { cluster in
            // The key is there, so that both have the same.
            try cluster.folder.write(String(repeating: "5a", count: 32) + "\n", to: cluster.keyFile.lastPathComponent)
            let statuses = try await withThrowingTaskGroup(of: Int32.self) { group in
                for name in ["one", "two"] {
                    let file = cluster.folder.url.appending(path: "\(name).pem")
                    group.addTask { try await cluster.run(self.words(cluster, file)).status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [0, 1])
            let made = ["one", "two"].filter {
                FileManager.default.fileExists(atPath: cluster.folder.url.appending(path: "\($0).pem").path)
            }
            #expect(made.count == 1)
            #expect(try await cluster.count("control.authority") == 1)
        }
    }

    @Test("A node's login of the queue's database can read nothing of the cluster (control 10)")
    func otherLogins() async throws {
        try await LabController.with { cluster in
            try await cluster.database.makeQueue()
            for login in ["relayd", "operator"] {
                let pool = cluster.database.pool(as: login)
                defer { pool.shutDown() }
                for table in ["cluster", "authority", "resource", "join_token"] {
                    await #expect(throws: (any Error).self, "\(login) reads \(table)") {
                        try await pool.query(Statement("SELECT count(*) FROM control.\(table)"))
                    }
                }
            }
        }
    }
}
