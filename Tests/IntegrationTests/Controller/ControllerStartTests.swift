import ControlAPI
import Foundation
import Glibc
import LabDatabase
import LabRelay
import LabSupport
import NIOCore
import NIOPosix
import Testing

@Suite("What an operator hears at the start of a controller", .timeLimit(.minutes(3)))
struct ControllerStartTests {
    @Test("The database is away: health answers, the log says it once, and SIGTERM ends it with 0")
    func databaseAway() async throws {
        try await LabController.with { cluster in
            let replica = try cluster.replica(settings: [
                "database.connection": "'host=127.0.0.1 port=\(Ports.unused()) dbname=relay'"
            ])
            try await replica.process.launch()
            try await replica.process.waitUntilNotReady("[-]database failed: cannot be reached")
            #expect(try await replica.process.readiness().text.contains("[-]cluster failed: waits for the database"))
            for path in ["/livez", "/startupz"] { #expect(try await replica.process.status(of: path) == 200) }
            try await Task.sleep(for: .seconds(3))
            let waiting = replica.process.logLines.filter { $0["msg"] == "waiting for the database" }
            #expect(waiting.count == 1 && waiting.first?["reason"]?.contains("cannot be reached") == true)
            #expect(kill(try #require(replica.process.processIdentifier), SIGTERM) == 0)
            try await replica.process.waitForEnd()
            #expect(replica.process.terminationStatus == 0)
            #expect(replica.process.logLines.suffix(2).compactMap { $0["msg"] } == ["draining", "stopped"])
        }
    }

    @Test("The database goes away while a replica serves: /readyz says so, and it is ready again when that is back")
    func comesBack() async throws {
        try await PrivatePostgres.withServer { server in
            var options = LabController.Options()
            options.server = server
            try await LabController.with(options) { cluster in
                let replica = try cluster.replica()
                try await replica.process.start()
                await server.stopImmediately()
                try await replica.process.waitUntilNotReady("[-]database failed: has not answered for some time")
                #expect(try await replica.process.status(of: "/livez") == 200)
                try await server.restart()
                try await replica.process.waitUntilReady()
                #expect(try await replica.status(by: cluster.credential).cluster == "lab")
            }
        }
    }

    @Test("What must be changed first ends the start with 78, the setting and the command that helps")
    func mustChange() async throws {
        try await LabController.with { cluster in
            let server = cluster.database.server
            let database = cluster.database.name
            try await server.command("CREATE DATABASE \(database)_bare")
            try await cluster.database.makeLogin("stranger")
            try cluster.folder.write(String(repeating: "5a", count: 32), to: "other.key")
            let other = cluster.folder.url.appending(path: "other.key").path
            func connection(_ name: String, _ user: String) -> [String: String] {
                ["database.connection": "'\(server.connectionString(database: name, user: user))'"]
            }
            let cases: [([String: String], [String])] = [
                (
                    connection("\(database)_bare", LabController.login),
                    ["database.connection: ", "run `relay-controller init`", "`GRANT relay_control TO controller`"]
                ),
                (
                    connection(database, "stranger"),
                    ["permission denied", "`GRANT relay_control TO stranger`"]
                ),
                (
                    ["keys.encryption-key-file": other],
                    ["keys.encryption-key-file: ", "sealed under key", "`relay-controller recover --new-authority`"]
                ),
                (["controller.name": "under_score"], ["controller.name: under_score is no host name"]),
            ]
            for (index, (settings, words)) in cases.enumerated() {
                let replica = try cluster.replica("case-\(index)", settings: settings)
                try await replica.process.launch()
                try await replica.process.waitForEnd()
                #expect(replica.process.terminationStatus == 78)
                let line = replica.process.logLines.last?.text ?? ""
                for word in words { #expect(line.contains(word), "\(line)") }
            }
            try await server.command("DROP DATABASE \(database)_bare WITH (FORCE)")
        }
    }

    @Test("An address in use is told with its setting and its holder", arguments: [true, false])
    func addressInUse(_ isListener: Bool) async throws {
        let holder = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(holder.localAddress?.port)
        try await LabController.with { cluster in
            let replica = try cluster.replica(
                settings: isListener
                    ? ["control.listeners": "['127.0.0.1:\(port)']"] : ["telemetry.address": "'127.0.0.1:\(port)'"])
            try await replica.process.launch()
            try await replica.process.waitForEnd()
            #expect(replica.process.terminationStatus == 1)
            let last = replica.process.logLines.last?["error"] ?? ""
            let setting = isListener ? "control.listeners[0]" : "telemetry.address"
            #expect(last.contains("\(setting): 127.0.0.1:\(port) is in use, by "), "\(last)")
            #expect(last.contains("(process \(getpid()))"), "\(last)")
        }
        try await holder.close()
    }

    @Test("SIGTERM drains: /readyz turns 503 and calls are taken until drain.delay is over, then it ends with 0")
    func drains() async throws {
        try await LabController.with { cluster in
            let replica = try cluster.replica(settings: ["drain.delay": "3s", "drain.timeout": "5s"])
            try await replica.process.start()
            #expect(kill(try #require(replica.process.processIdentifier), SIGTERM) == 0)
            try await replica.process.waitUntilNotReady("[-]draining failed: draining", within: .seconds(2))
            #expect(try await replica.status(by: cluster.credential).cluster == "lab")
            try await replica.process.waitForEnd(within: .seconds(12))
            #expect(replica.process.terminationStatus == 0)
        }
    }

    @Test("No secret is in the log, in config show or in a core dump (control 17)")
    func secrets() async throws {
        try await LabController.with { cluster in
            let key = try String(contentsOf: cluster.keyFile, encoding: .utf8).trimmingCharacters(
                in: .whitespacesAndNewlines)
            let settings = [
                "telemetry.log-level": "trace", "keys.encryption-key": key,
                "database.connection":
                    "'\(cluster.database.connectionString(as: LabController.login)) password=hunter2secret'",
            ]
            let replica = try cluster.replica(settings: settings)
            try await replica.process.start()
            _ = try await replica.status(by: cluster.credential)
            let process = try #require(replica.process.processIdentifier)
            let limits = try String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8)
            let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
            #expect(core?.split(separator: " ").dropFirst(4).prefix(2) == ["0", "0"], "\(core ?? "")")
            await replica.process.stop()
            let shown = try await cluster.run(["config", "show"], settings: settings)
            #expect(shown.status == 0 && shown.output.contains("encryption-key: \"(not shown)\""), "\(shown.errors)")
            let texts = replica.process.logLines.map(\.text) + [shown.output, shown.errors]
            #expect(texts.count > 3)
            for text in texts { #expect(!text.contains(key) && !text.contains("hunter2secret"), "\(text)") }
        }
    }
}
