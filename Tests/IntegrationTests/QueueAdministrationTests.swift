import Foundation
import LabDatabase
import LabPeers
import LabRelay
import LabSupport
import MailModel
import PostgresDriver
import QueueStore
import Testing

extension Trait where Self == SharedLab {
    /// A relay whose mail for each domain but the sender's waits for a quarter of an hour, and an operator's login.
    fileprivate static var administeredRelay: Self {
        let busy = ["held", "retried", "failed", "dropped", "listed", "other"].map {
            LabDomain.dane("\($0).test", rules: [.on(.everyRecipient, .reply("450 4.2.1 Busy"))])
        }
        return SharedLab { body in
            let slow = LabDomain.dane(
                "hung.test", rules: [.on(.everyRecipient, .wait(.seconds(12)), .reply("450 4.2.1 Busy"))])
            try await LabRelay.with([.dane("alpha.test"), slow] + busy) { lab in
                try await body(lab)
            }
        }
    }
}

/// `relayctl queue` as an operator runs it, beside a relay at work.
@Suite("Administration of the queue", .administeredRelay, .timeLimit(.minutes(3)))
struct QueueAdministrationTests {
    private func relayctl(_ arguments: String..., connection: String? = nil) async throws -> ProgramRun {
        try await self.relayctl(arguments, connection: connection)
    }

    private func relayctl(_ arguments: [String], connection: String? = nil) async throws -> ProgramRun {
        try await SharedLab.lab.relayctl(["queue"] + arguments, connection: connection)
    }

    /// Submits a message whose first attempt fails, and waits for that.
    private func sendWaiting(to domain: String, from sender: String = "alice@alpha.test") async throws -> MessageID {
        let lab = try SharedLab.lab
        let id = try await lab.submit(from: sender, to: "bob@\(domain)")
        try await lab.wait(for: id) { $0.first(.defer) != nil }
        return id
    }

    private func waitForAttempts(_ count: Int, at id: MessageID) async throws {
        try await SharedLab.lab.wait(for: id) { trace in trace.count { $0.kind == .defer } == count }
    }

    @Test("Mail that waits is held, and stays so through a retry; released, it is tried at once")
    func holdAndRelease() async throws {
        let lab = try SharedLab.lab
        let id = try await self.sendWaiting(to: "held.test")
        let held = try await self.relayctl("hold", "--domain", "held.test", "--reason", "looks odd", "-o", "json")
        #expect(held.status == 0, "\(held.errors)")
        #expect(try held.json["affected"] as? Int == 1 && held.json["in_delivery"] as? Int == 0)
        let listed = try await self.relayctl("list", "--id", "\(id)", "-o", "jsonl").json
        #expect(listed["state"] as? String == "held" && listed["queue_name"] as? String == "hold")
        #expect(try await self.relayctl("retry", "--domain", "held.test").output == "made 0 entries due\n")
        try await self.waitForAttempts(1, at: id)
        #expect(try await self.relayctl("release", "--domain", "held.test").output == "released 1 entry\n")
        try await self.waitForAttempts(2, at: id)
        let kinds = try await lab.trace(of: id).map(\.kind)
        #expect(kinds == [.receive, .defer, .hold, .release, .defer])
    }

    @Test("Retry has mail tried at once that would have waited for a quarter of an hour")
    func retry() async throws {
        let id = try await self.sendWaiting(to: "retried.test")
        #expect(try await self.relayctl("retry", "--domain", "retried.test").output == "made 1 entry due\n")
        try await self.waitForAttempts(2, at: id)
    }

    @Test("Fail tells the sender, with 5.7.0 and the operator's reason; trace, log and metrics are the usual ones")
    func fail() async throws {
        let lab = try SharedLab.lab
        let sender = "s\(UUID().uuidString.prefix(8))@alpha.test"
        let id = try await self.sendWaiting(to: "failed.test", from: sender)
        let command = ["fail", "--sender", sender, "--reason", "account closed"]
        let unconfirmed = try await self.relayctl(command)
        #expect(unconfirmed.status == 64 && unconfirmed.errors.contains("--yes"))
        let done = try await self.relayctl(command + ["--yes"])
        #expect(done.status == 0 && done.output.hasPrefix("gave 1 entry up"))
        let report = try await lab.deliveredReport(on: id, to: sender, at: "alpha.test").text
        #expect(report.contains("Action: failed\r\nStatus: 5.7.0\r\n"))
        #expect(
            report.replacing("\r\n ", with: " ").contains("failed-by-operator") && report.contains("account closed"))
        #expect(report.contains("An operator of this mail system") && !report.contains("The other side refused"))
        let event = try #require(try await lab.trace(of: id).first(.fail))
        #expect(event.reason == "failed-by-operator" && event.attempt == 2)
        try await lab.expectLogged(event)
        #expect(try await lab.relayd.metric("relayd_deliveries_total", label: "result=\"bounced\"") == 1)
    }

    @Test("Drop removes mail without a word to its sender")
    func drop() async throws {
        let lab = try SharedLab.lab
        let id = try await self.sendWaiting(to: "dropped.test")
        let dry = try await self.relayctl("drop", "--id", "\(id)", "--dry-run")
        #expect(dry.output == "would drop 1 entry\n")
        #expect(try await self.relayctl("drop", "--id", "\(id)", "--yes").output == "dropped 1 entry\n")
        #expect(try await lab.reports(on: id).isEmpty)
        #expect(try await lab.trace(of: id).map(\.kind) == [.receive, .defer, .drop])
        let again = try await self.relayctl("drop", "--id", "\(id)", "--yes")
        #expect(again.status == 65 && again.errors.split(separator: "\n").count == 1)
    }

    @Test("List, show, cat and summary tell what is there, by the node's own configuration too")
    func reading() async throws {
        let lab = try SharedLab.lab
        let id = try await self.sendWaiting(to: "listed.test")
        let config = lab.relayd.configuration.path
        let listed = try await self.relayctl(
            "list", "--domain", "listed.test", "-o", "json", "--config", config, connection: "")
        #expect(listed.status == 0, "\(listed.errors)")
        let entries = try #require(try listed.json["entries"] as? [[String: Any]])
        let entry = try #require(entries.first)
        #expect(entries.count == 1 && entry["queue_id"] as? String == "\(id)")
        let event = try #require(try await lab.trace(of: id).first(.defer))
        #expect(entry["next_attempt"] as? String == event.nextAttempt.map { "\($0)" })
        #expect(entry["node"] as? String == LabRelay.nodeName && entry["attempts"] as? Int == 1)
        #expect(entry["dane"] as? String == "authenticate" && entry["queue_name"] as? String == "deferred")
        let recipients = entry["recipients"] as? [[String: String]]
        #expect(recipients == [["address": "bob@listed.test", "delay_reason": "450 4.2.1 Busy"]])

        let shown = try await self.relayctl("show", "\(id)", "-o", "json").json
        let trace = try #require(shown["trace"] as? [[String: Any]])
        #expect(trace.map { $0["kind"] as? String } == ["RECEIVE", "DEFER"])
        #expect(trace.last?["tls_match"] as? String == event.tlsMatch)
        let content = try await self.relayctl("cat", "\(id)").output
        #expect(content.contains("\r\nSubject: Hello\r\n") && content.hasPrefix("Received: "))
        #expect(content.utf8.count == entry["message_size"] as? Int)
        let summary = try await self.relayctl("summary", "-o", "json").json
        #expect(((summary["total"] as? [String: Int])?["entries"] ?? 0) >= 1)

        let denied = try await self.relayctl("hold", "--domain", "listed.test", "--config", config, connection: "")
        #expect(denied.status == 77, "the node's role may not: \(denied.errors)")
    }

    /// Runs a list until it shows something.
    private func listed(_ arguments: String...) async throws -> [String: Any] {
        let run = try await eventualValue(within: .seconds(60), every: .milliseconds(300)) {
            let run = try await self.relayctl(["list", "-o", "jsonl"] + arguments)
            try #require(run.status == 0, "\(run.errors)")
            return run.output.isEmpty ? nil : run
        }
        return try #require(run, "nothing is listed").json
    }

    @Test("While a host hangs, its mail is active, and it is said which host that is; then it is deferred")
    func hangingHost() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(from: "alice@alpha.test", to: "bob@hung.test")
        let active = try await self.listed("--state", "active", "--domain", "hung.test", "--host", "mx.hung.test")
        #expect(active["queue_id"] as? String == "\(id)" && active["queue_name"] as? String == "active")
        #expect(active["stage"] as? String == "host")
        #expect((active["host"] as? String)?.hasPrefix("mx.hung.test[") == true)
        try await lab.wait(for: id) { $0.first(.defer) != nil }
        let deferred = try await self.listed("--state", "deferred", "--domain", "hung.test", "--host", "mx.hung.test")
        #expect(deferred["queue_id"] as? String == "\(id)" && deferred["queue_name"] as? String == "deferred")
        let isCounted = try await eventually(every: .milliseconds(200)) {
            try await lab.relayd.metric("relayd_queue_messages", label: "state=\"deferred\"") >= 1
        }
        #expect(isCounted)
        let name = "relayd_queue_oldest_message_timestamp_seconds"
        #expect(try await lab.relayd.metric(name, label: "state=\"deferred\"") > 1_700_000_000)
    }

    @Test("Ids come by standard input, one a line; none at all is a mistake")
    func idsFromInput() async throws {
        let id = try await self.sendWaiting(to: "other.test")
        let lab = try SharedLab.lab
        let run = try await lab.relayctl(["queue", "list", "--id", "-", "-o", "jsonl"], input: "\(id)  deferred\n\n")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try run.json["queue_id"] as? String == "\(id)")
        #expect(try await lab.relayctl(["queue", "drop", "--id", "-", "--yes"]).status == 65)
    }

    @Test("Shape, a part of the content, and scripts for shells come out")
    func others() async throws {
        let id = try await self.sendWaiting(to: "other.test")
        let shape = try await self.relayctl("shape", "-o", "json").json
        #expect(((shape["total"] as? [String: Any])?["entries"] as? Int ?? 0) >= 1)
        let headers = try await self.relayctl("cat", "--headers", "\(id)").output
        #expect(headers.contains("\r\nSubject: Hello\r\n") && !headers.contains("\r\n\r\n"))
        let lab = try SharedLab.lab
        for shell in ["bash", "zsh", "fish"] {
            let script = try await lab.relayctl(["completions", shell], connection: "")
            #expect(script.status == 0 && script.output.contains("relayctl") && script.output.contains("retry"))
        }
    }

    @Test("relayctl takes the connection from the environment, or a credential file, and shows neither")
    func secrets() async throws {
        let lab = try SharedLab.lab
        let connection = lab.postgres.connectionString(database: "relay", user: QueueLogin.person)
        let summary = ["queue", "summary", "-o", "json"]
        let named = try await ProgramRun.of(
            "relayctl", summary, environment: ["RELAYD_DATABASE_CONNECTION": connection])
        #expect(named.status == 0 && named.output.contains("states"), "\(named.errors)")
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "database.connection")
            try Data("\(connection)\n".utf8).write(to: file)
            for (mode, status) in [(0o400, Int32(0)), (0o644, 78)] {
                for (url, mode) in [(file, mode), (folder, 0o755)] {
                    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: url.path)
                }
                let run = try await ProgramRun.of(
                    "relayctl", summary, environment: ["CREDENTIALS_DIRECTORY": folder.path])
                #expect(run.status == status, "\(run.errors)")
                #expect(!run.errors.contains("dbname") && run.errors.contains("others can read") == (status != 0))
            }
        }
    }

    @Test("migrate takes the connection from a credential file")
    func secretOfMigrate() async throws {
        let lab = try SharedLab.lab
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "migrate.connection")
            try Data(lab.postgres.connectionString(database: "relay").utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: file.path)
            let run = try await ProgramRun.of(
                "relayd", ["migrate", "--dry-run"], environment: ["CREDENTIALS_DIRECTORY": folder.path])
            #expect(run.status == 0 && run.output.contains("nothing to do"), "\(run.output)\(run.errors)")
        }
    }

    @Test(
        "Each failure has its exit code and says why",
        arguments: [
            (["hold"], nil, 64), (["list", "--older-than", "soon"], nil, 64), (["list", "--colour"], nil, 64),
            (["cat", "--headers", "--body", "x"], nil, 64),
            (["show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"], nil, 65), (["cat", "x"], nil, 65),
            (["summary"], "host=/nonexistent user=x", 69), (["list", "--config", "/nonexistent.yaml"], "", 78),
        ] as [([String], String?, Int32)])
    func exitCodes(_ arguments: [String], connection: String?, status: Int32) async throws {
        let run = try await self.relayctl(arguments, connection: connection)
        #expect(run.status == status && run.output.isEmpty && !run.errors.isEmpty, "\(run)")
    }
}
