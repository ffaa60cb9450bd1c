import Foundation
import Glibc
import LabDatabase
import LabPeers
import LabRelay
import LabSupport
import NIOCore
import NIOPosix
import Testing

@Suite("What an operator hears at the start", .timeLimit(.minutes(3)))
struct NodeStartTests {
    @Test("The database is down at the start: health answers, the log says it once, and SIGTERM ends it with 0")
    func databaseDown() async throws {
        var options = LabRelayOptions()
        options.startsRelayd = false
        options.settings = ["database.connection": "'host=127.0.0.1 port=\(Ports.unused()) dbname=relay'"]
        try await LabRelay.with([], options) { lab in
            try await lab.relayd.launch()
            try await lab.relayd.waitUntilNotReady("[-]database failed: cannot be reached")
            #expect(try await lab.relayd.readiness().text.contains("[-]listener failed: waits for the database"))
            for path in ["/livez", "/startupz"] { #expect(try await lab.relayd.status(of: path) == 200) }
            // Many tries go by.
            let hasTried = try await eventually(within: .seconds(60), every: .milliseconds(50)) {
                try await lab.relayd.metric("relayd_pg_errors_total") >= 60
            }
            #expect(hasTried)
            let waiting = lab.relayd.logLines.filter { line in
                line.text.contains("database") && !line.text.contains("database.allow-fsync-off")
            }
            #expect(waiting.first?["msg"] == "waiting for the database")
            #expect(waiting.count == 1 && waiting.first?["reason"]?.contains("cannot be reached") == true)

            let process = try #require(lab.relayd.processIdentifier)
            #expect(kill(process, SIGTERM) == 0)
            try await lab.relayd.waitForEnd()
            #expect(lab.relayd.terminationStatus == 0)
            #expect(lab.relayd.logLines.suffix(2).compactMap { $0["msg"] } == ["draining", "stopped"])
            #expect(!lab.relayd.logLines.contains { $0.text.contains("CancellationError") })
        }
    }

    @Test(
        "Each program says its version, which is never unknown", arguments: ["relayd", "relayctl", "relay-controller"])
    func version(of program: String) async throws {
        let path = try BuiltProgram.named(program).path
        let output = try await withTemporaryFolder { temporary in
            let log = temporary.appending(path: "output")
            let child = try await ChildProcess(path, ["--version"], log: log)
            let hasEnded = await child.ended(within: .seconds(60))
            if !hasEnded { await child.stop() }
            #expect(child.terminationStatus == 0)
            return try String(contentsOf: log, encoding: .utf8)
        }
        #expect(output.hasPrefix("\(program) 0.") && !output.contains("unknown"), "\(output)")
    }

    @Test("A schema that is not there, and rights that are: the start ends with 78 and the command that helps")
    func schemaAndRights() async throws {
        var options = LabRelayOptions()
        options.startsRelayd = false
        try await LabRelay.with([], options) { lab in
            try await lab.postgres.command("CREATE DATABASE empty")
            try await lab.postgres.command("CREATE ROLE stranger LOGIN")
            for (database, words) in [
                ("empty", "run `relayd migrate`"), ("relay", "permission denied for schema relay"),
            ] {
                let connection = lab.postgres.connectionString(database: database, user: "stranger")
                let node = try lab.addNode(
                    "\(database).test", settings: ["database.connection": "'\(connection)'"])
                try await node.relayd.launch()
                try await node.relayd.waitForEnd()
                #expect(node.relayd.terminationStatus == 78)
                let line = node.relayd.logLines.last?.text ?? ""
                #expect(line.contains("database.connection: ") && line.contains(words), "\(line)")
                #expect(line.contains("`GRANT relay_queue TO stranger`"), "\(line)")
            }
        }
    }

    @Test("After a kill, log and health say what the next run waits for, and then it takes mail")
    func formerRun() async throws {
        try await LabRelay.with([], LabRelayOptions()) { lab in
            await lab.relayd.kill()
            let before = lab.relayd.logLines.count
            try await lab.relayd.launch()
            let line = await lab.relayd.waitForLogLine { $0["msg"] == "waiting to register" }
            let reason = line?["reason"] ?? ""
            #expect(reason.hasPrefix("another node named \(LabRelay.nodeName) is running, or ended"), "\(reason)")
            #expect(reason.contains("this one takes over when") && reason.contains("(queue.lease-ttl)"), "\(reason)")
            try await lab.relayd.waitUntilNotReady("(queue.lease-ttl)")
            try await lab.relayd.waitUntilReady()
            let told = lab.relayd.logLines.dropFirst(before).filter { $0["msg"] == "waiting to register" }
            #expect(told.count == 1)
        }
    }

    @Test("An address in use is told with its setting and its holder, and nothing else is", arguments: [true, false])
    func addressInUse(_ isListener: Bool) async throws {
        let holder = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(holder.localAddress?.port)
        var options = LabRelayOptions()
        options.startsRelayd = false
        options.settings =
            isListener
            ? ["smtp.listeners": "[{address: '127.0.0.1:\(port)'}]"] : ["telemetry.address": "'127.0.0.1:\(port)'"]
        try await LabRelay.with([], options) { lab in
            try await lab.relayd.launch()
            try await lab.relayd.waitForEnd()
            #expect(lab.relayd.terminationStatus == 1)
            let (lines, setting) = (lab.relayd.logLines, isListener ? "smtp.listeners[0].address" : "telemetry.address")
            let last = lines.last?["error"] ?? ""
            #expect(last.contains("\(setting): 127.0.0.1:\(port) is in use, by "), "\(last)")
            #expect(last.contains("(process \(getpid()))"), "\(last)")
            #expect(lines.filter { ["error", "critical"].contains($0["level"]) }.count == 1, "\(lines.map(\.text))")
            #expect(!lines.contains { $0.text.contains("CancellationError") || $0.text.contains("descriptor:") })
            #expect(lines.first?["msg"] == "starting" && lines.first?["version"]?.hasPrefix("relayd ") == true)
            #expect(lines.first?["configuration"] == lab.relayd.configuration.path)
        }
        try await holder.close()
    }

    @Test("[::] takes IPv4 clients and calls them so; beside 0.0.0.0 both listen")
    func bothFamilies() async throws {
        let (alone, shared) = (Ports.unused(), Ports.unused())
        var options = LabRelayOptions()
        options.settings = [
            "smtp.listeners":
                "[{address: '[::]:\(alone)'}, {address: '0.0.0.0:\(shared)'}, {address: '[::]:\(shared)'}]"
        ]
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            for port in [alone, shared] {
                try await SMTPDialog.with(port: port) { smtp in
                    try await smtp.hello()
                    try await smtp.say("MAIL FROM:<alice@alpha.test>")
                    try await smtp.say("RCPT TO:<bob@bravo.test>")
                    #expect(try await smtp.say("DATA").code == 354)
                    try await smtp.send("Subject: family\r\n\r\nx\r\n.\r\n")
                    #expect(try await smtp.readReply().code == 250)
                }
            }
            let server = lab.peer("bravo.test").server
            #expect(await server.wait { $0.messageCount == 2 })
            #expect(server.received.allSatisfy { $0.text.contains("[127.0.0.1]") && !$0.text.contains("ffff") })
        }
    }
}
