import Foundation
import Lab
import MailModel
import QueueConsole
import QueueStore
import Testing

@Suite("The console of the queue", .timeLimit(.minutes(2)))
struct QueueConsoleTests {
    private static func domain(_ name: String) -> EntrySelection {
        var selection = EntrySelection()
        selection.domains = [name]
        return selection
    }

    private static func request(_ action: QueueAction, _ selection: EntrySelection) -> ActionRequest {
        ActionRequest(action, selection, by: "olga@ops")
    }

    @Test("A line of jsonl has the keys of postqueue -j, and ours")
    func postqueueKeys() async throws {
        try await ConsoleFixture.run { queue in
            let id = try await queue.enqueue(to: "bravo.test", from: "")
            let told = await queue.run(.list(), .jsonl)
            #expect(told.failure == nil && told.output.split(separator: "\n").count == 1)
            let line = try told.json
            let keys: Set = [
                "schema", "queue_name", "queue_id", "arrival_time", "message_size", "sender", "recipients", "state",
                "attempts", "next_attempt", "domain", "shard", "node", "dane", "verdict",
            ]
            #expect(Set(line.keys) == keys)
            #expect(line["schema"] as? String == "relayctl/v1" && line["queue_id"] as? String == "\(id)")
            #expect(line["queue_name"] as? String == "active" && line["state"] as? String == "ready")
            #expect(line["sender"] as? String == "MAILER-DAEMON" && line["node"] is NSNull)
            #expect(abs((line["arrival_time"] as? Double ?? 0) - Date().timeIntervalSince1970) < 60)
            #expect(line["recipients"] as? [[String: String]] == [["address": "bob@bravo.test"]])
        }
    }

    @Test(
        "A list is cut at its limit and says how to go on; the parts make the whole", arguments: OutputFormat.allCases)
    func paging(_ format: OutputFormat) async throws {
        try await ConsoleFixture.run { queue in
            for _ in 0..<5 { try await queue.enqueue(to: "bravo.test") }
            var ids: [String] = []
            var after: String?
            repeat {
                let told = await queue.run(.list(limit: 2, after: after), format)
                #expect(told.failure == nil)
                ids += told.output.matches(of: /[0-9A-Z]{26}(?!\.)/).map { String($0.output) }
                after = told.said.first.map { String($0.split(separator: " ").last ?? "") }
                if format == .json {
                    #expect(try told.json["next"] as? String == after)
                    #expect((try told.json["entries"] as? [Any])?.isEmpty == false)
                }
                try #require(ids.count <= 5)
            } while after != nil
            #expect(Set(ids).count == 5 && ids.count == 5)
        }
    }

    @Test("An empty list is a whole document")
    func emptyList() async throws {
        try await ConsoleFixture.run { queue in
            let json = try await queue.run(.list(), .json).json
            #expect((json["entries"] as? [Any])?.isEmpty == true)
            let empty = await queue.run(.list(), .yaml)
            #expect(empty.output == "schema: \"relayctl/v1\"\nentries: []\nnext: null\n")
            let none = await queue.run(.list(), .jsonl)
            #expect(none.output.isEmpty)
        }
    }

    @Test("What has no selector is refused, and so is everything with one (64)", arguments: QueueAction.allCases)
    func selectors(_ action: QueueAction) async throws {
        try await ConsoleFixture.run { queue in
            let none = await queue.run(.perform(Self.request(action, EntrySelection())))
            #expect(none.failure?.status == .usage)
            var both = Self.request(action, Self.domain("bravo.test"))
            both.isEverythingMeant = true
            let told = await queue.run(.perform(both))
            #expect(told.failure?.status == .usage)
        }
    }

    @Test("Drop and fail ask, where there is somebody; elsewhere they need --yes. A no does nothing")
    func confirmation() async throws {
        try await ConsoleFixture.run { queue in
            try await queue.enqueue(to: "bravo.test")
            var request = Self.request(.drop, Self.domain("bravo.test"))
            let alone = await queue.run(.perform(request))
            #expect(alone.failure?.status == .usage)
            let refused = await queue.run(.perform(request), answer: false)
            #expect(refused.failure?.status == .failed)
            #expect(refused.asked == ["drop 1 entry (domain=bravo.test)? [y/N] "])
            request.isDryRun = true
            let counted = await queue.run(.perform(request))
            #expect(try counted.json["affected"] as? Int == 1 && counted.json["dry_run"] as? Bool == true)
            request.isDryRun = false
            request.isConfirmed = true
            let dropped = await queue.run(.perform(request), answer: false)
            #expect(dropped.asked.isEmpty)
            #expect(try dropped.json["affected"] as? Int == 1 && dropped.json["in_delivery"] as? Int == 0)
            let again = await queue.run(.perform(request))
            #expect(try again.json["affected"] as? Int == 0)
        }
    }

    @Test("An id that nobody knows is 65, for every command")
    func unknownID() async throws {
        try await ConsoleFixture.run { queue in
            let unknown = "\(MessageID(high: 1, low: 1))"
            for id in [unknown, "nonsense"] {
                var selection = EntrySelection()
                selection.ids = [id]
                let commands: [ConsoleFixture.Command] = [
                    .show(id), .cat(id), .list(selection), .perform(Self.request(.hold, selection)),
                ]
                for command in commands {
                    let told = await queue.run(command)
                    #expect(told.failure?.status == .badData)
                }
            }
        }
    }

    @Test(
        "Content comes out byte for byte, and made safe on a terminal (field C13); what is dropped has none, but a life that can be told"
    )
    func content() async throws {
        try await ConsoleFixture.run { queue in
            let body = "Subject: x\r\n\r\n.dot\r\n\u{1b}[2J\r\n"
            let id = try await queue.enqueue(to: "bravo.test", "charlie.test", body: body)
            let raw = await queue.run(.cat("\(id)"), .json)
            #expect(raw.output == body)
            let shown = await queue.run(.cat("\(id)"), .json, isShown: true)
            #expect(shown.output == "Subject: x\r\n\r\n.dot\r\n?[2J\r\n")
            let told = try await queue.run(.show("\(id)"), .json).json
            #expect((told["entries"] as? [Any])?.count == 2 && (told["trace"] as? [Any])?.count == 2)
            #expect(told["sender"] as? String == "alice@alpha.test")
            var drop = Self.request(.drop, EntrySelection())
            drop.selection.ids = ["\(id)"]
            drop.isConfirmed = true
            drop.reason = "unwanted"
            let dropped = await queue.run(.perform(drop), .table)
            #expect(dropped.output == "dropped 2 entries\n")
            let gone = await queue.run(.cat("\(id)"), .json)
            #expect(gone.failure?.status == .badData)
            let text = await queue.run(.show("\(id)"), .table).output
            #expect(text.contains("Finished  2") && text.contains("DROP") && text.contains("by olga@ops: unwanted"))
        }
    }

    @Test("A summary adds up, and counts when told to")
    func summary() async throws {
        try await ConsoleFixture.run { queue in
            for _ in 0..<3 { try await queue.enqueue(to: "bravo.test", "charlie.test") }
            _ = await queue.run(.perform(Self.request(.hold, Self.domain("charlie.test"))))
            for isExact in [false, true] {
                let told = try await queue.run(.summary(isExact: isExact)).json
                let states = try #require(told["states"] as? [[String: Any]])
                #expect(states.map { $0["state"] as? String } == ["ready", "deferred", "held"])
                #expect(states.map { $0["entries"] as? Int } == [3, 0, 3])
                #expect((told["total"] as? [String: Int])?["entries"] == 6)
                #expect(states[0]["oldest"] is String && states[1]["oldest"] is NSNull)
                #expect((told["domains"] as? [Any])?.count == (isExact ? 2 : nil))
            }
        }
    }

    @Test("No database is 69, no schema 78, a role without rights 77: one line each")
    func failures() async throws {
        try await ConsoleFixture.run { queue in
            let nowhere = await queue.run(.list(), connection: "host=/nonexistent dbname=relay user=x").failure
            #expect(nowhere?.status == .unavailable)
            let empty = await queue.run(.list(), connection: queue.emptyDatabase).failure
            #expect(empty?.status == .configuration)
            for failure in [nowhere, empty] { #expect(failure?.description.contains("\n") == false) }
            let denied = await queue.run(.list(), connection: try await queue.connectionOfNobody())
            #expect(denied.failure?.status == .denied)
        }
    }

    private static func flush(
        _ name: String?, _ change: (inout DNSFlushRequest) -> Void = { _ in }
    ) -> ConsoleFixture.Command {
        var request = DNSFlushRequest(name, by: "olga@ops")
        change(&request)
        return .flush(request)
    }

    @Test("A flush says what is looked up anew, and needs to be told what is meant (field D6)")
    func flush() async throws {
        try await ConsoleFixture.run { queue in
            let told = try await queue.run(Self.flush("MX.bücher.test")).json
            #expect(told["action"] as? String == "dns-flush" && told["scope"] as? String == "name")
            #expect(told["name"] as? String == "mx.xn--bcher-kva.test")
            let zone = try await queue.run(Self.flush("bravo.test") { $0.includesSubdomains = true }).json
            #expect(zone["scope"] as? String == "subdomains")
            for wrong in [
                Self.flush(nil), Self.flush("a b"), Self.flush("bravo.test") { $0.isEverythingMeant = true },
                Self.flush(nil) { $0.isEverythingMeant = true },
            ] {
                #expect(await queue.run(wrong).failure?.status == .usage)
            }
            let all = Self.flush(nil) { $0.isEverythingMeant = true }
            #expect(await queue.run(all, answer: false).failure?.status == .failed)
            #expect(try await queue.run(all, answer: true).json["scope"] as? String == "everything")
            let denied = await queue.run(Self.flush("bravo.test"), connection: try await queue.connectionOfNobody())
            #expect(denied.failure?.status == .denied)
        }
    }
}
