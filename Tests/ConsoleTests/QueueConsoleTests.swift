import Console
import Foundation
import MailModel
import QueueStore
import Testing

extension MessageID {
    /// As PostgreSQL shows the id.
    fileprivate var uuidText: String {
        let digits = [self.high, self.low].map { half in
            let text = String(half, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text += "-" }
            text.append(digit)
        }
        return text
    }
}

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
                "attempts", "next_attempt", "domain", "shard", "node", "dane", "verdict", "waits_for", "stage", "host",
                "since", "suspended_because",
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
            // What the message's row had is in its trace.
            #expect(try await queue.run(.show("\(id)"), .json).json["sender"] as? String == "alice@alpha.test")
            let text = await queue.run(.show("\(id)"), .table).output
            #expect(text.contains("Finished  2") && text.contains("DROP") && text.contains("by olga@ops: unwanted"))
        }
    }

    @Test("The header section, or the body, of a message comes out by itself")
    func parts() async throws {
        try await ConsoleFixture.run { queue in
            let id = try await queue.enqueue(to: "bravo.test", body: "Subject: x\r\n\r\nHello\r\n\r\nBob\r\n")
            #expect(await queue.run(.cat("\(id)", .headers)).output == "Subject: x\r\n")
            #expect(await queue.run(.cat("\(id)", .body)).output == "Hello\r\n\r\nBob\r\n")
        }
    }

    @Test("An id is taken as psql shows it, too")
    func uuid() async throws {
        try await ConsoleFixture.run { queue in
            let id = try await queue.enqueue(to: "bravo.test")
            let uuid = id.uuidText
            for text in [uuid, uuid.replacing("-", with: "")] {
                let told = try await queue.run(.show(text)).json
                #expect(told["queue_id"] as? String == "\(id)")
            }
        }
    }

    @Test("No recipient is hidden where one message is shown")
    func allRecipients() async throws {
        try await ConsoleFixture.run { queue in
            let id = try await queue.enqueue(["bob", "eve", "mallory"], at: "bravo.test")
            let text = await queue.run(.show("\(id)"), .table).output
            for name in ["bob", "eve", "mallory"] { #expect(text.contains("  \(name)@bravo.test")) }
            #expect(!text.contains("(+"))
            #expect(await queue.run(.list(), .table).output.contains("bob@bravo.test (+2)"))
        }
    }

    @Test("A list goes by age on request, over all shards, page by page")
    func byAge() async throws {
        try await ConsoleFixture.run { queue in
            var ids: [String] = []
            for second in 0..<8 {
                let moment = Timestamp(seconds: 1_700_000_000 + Int64(second))
                ids.append("\(try await queue.enqueue(to: "d\(second).test", at: moment))")
            }
            var listed: [String] = []
            var after: String?
            repeat {
                let told = await queue.run(.list(limit: 3, after: after, order: .age), .jsonl)
                #expect(told.failure == nil)
                listed += told.output.matches(of: /queue_id":"([0-9A-Z]{26})/).map { String($0.1) }
                after = told.said.first.map { String($0.split(separator: " ").last ?? "") }
                try #require(listed.count <= 8)
            } while after != nil
            #expect(listed == ids)
        }
    }

    @Test("What has many ids is done part by part, and recorded in few words; too many are refused")
    func manyIDs() async throws {
        try await ConsoleFixture.run { queue in
            var selection = EntrySelection()
            for number in 0..<450 { selection.ids.append("\(MessageID(high: 7, low: UInt64(number)))") }
            for _ in 0..<2 { selection.ids.append("\(try await queue.enqueue(to: "bravo.test"))") }
            let listed = await queue.run(.list(selection), .jsonl)
            #expect(listed.output.split(separator: "\n").count == 2)
            #expect(await queue.run(.list(selection, order: .age)).failure?.status == .usage)
            let held = try await queue.run(.perform(Self.request(.hold, selection))).json
            #expect(held["affected"] as? Int == 2)
            #expect(try await queue.recordedSelection().hasSuffix(" and 432 more ids"))
            selection.ids = Array(repeating: "x", count: EntrySelection.mostIDs + 1)
            #expect(await queue.run(.list(selection)).failure?.status == .usage)
        }
    }

    @Test("Recipient, time, last reason and host select")
    func filters() async throws {
        try await ConsoleFixture.run { queue in
            try await queue.enqueue(["bob", "eve"], at: "bravo.test")
            try await queue.enqueue(to: "charlie.test")
            func count(_ change: (inout EntrySelection) -> Void) async -> Int {
                var selection = EntrySelection()
                change(&selection)
                return await queue.run(.list(selection), .jsonl).output.split(separator: "\n").count
            }
            #expect(await count { $0.recipients = ["EVE@bravo.test"] } == 1)
            #expect(await count { $0.recipients = ["nobody@bravo.test"] } == 0)
            #expect(await count { $0.dueWithin = .zero } == 2)
            try await queue.fail("charlie.test")
            #expect(await count { $0.dueWithin = .seconds(60) } == 1)
            #expect(await count { $0.dueWithin = .seconds(7200) } == 2)
            #expect(await count { $0.reasons = ["connection-timeout"] } == 1)
            #expect(await count { $0.reasons = ["4.4.1"] } == 1)
            #expect(await count { $0.reasons = ["tlsa-invalid"] } == 0)
            #expect(await count { $0.hosts = ["mx.charlie.test"] } == 1)
            #expect(await count { $0.hosts = ["mx.bravo.test"] } == 0)
        }
    }

    @Test("The shape of the queue is entries by age and domain, and adds up")
    func shape() async throws {
        try await ConsoleFixture.run { queue in
            for _ in 0..<3 { try await queue.enqueue(to: "bravo.test") }
            try await queue.enqueue(to: "charlie.test")
            try await queue.age("charlie.test", minutes: 50)
            let told = try await queue.run(.shape([], limit: 5)).json
            let total = try #require(told["total"] as? [String: Any])
            #expect(total["entries"] as? Int == 4)
            #expect(total["ages"] as? [Int] == [3, 0, 0, 0, 1, 0, 0, 0, 0, 0])
            let domains = try #require(told["domains"] as? [[String: Any]])
            #expect(domains.map { $0["domain"] as? String } == ["bravo.test", "charlie.test"])
            #expect(try await queue.run(.shape([.held], limit: 5)).json["domains"] as? [Int] == [])
            let table = await queue.run(.shape([], limit: 1), .table).output
            #expect(table.hasPrefix("DOMAIN      T  5  10  20  40  80  160  320  640  1280  1280+\nTOTAL       4  3"))
            #expect(table.split(separator: "\n").count == 3)
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
                #expect(states.map { $0["state"] as? String } == ["ready", "active", "deferred", "held"])
                #expect(states.map { $0["entries"] as? Int } == [3, 0, 0, 3])
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
            let words = denied.failure?.description ?? ""
            #expect(
                words.contains("`GRANT relay_admin TO console_nobody`") && words.contains("relay_viewer"), "\(words)")
            #expect(empty?.description.contains("`relayd migrate`") == true)
        }
    }

    @Test("A login without rights hears of the roles by the names that they have in this database")
    func namedRoles() async throws {
        try await ConsoleFixture.run(roles: "console_staging") { queue in
            let denied = await queue.run(.list(), connection: try await queue.connectionOfNobody())
            let words = denied.failure?.description ?? ""
            #expect(denied.failure?.status == .denied)
            #expect(words.contains("`GRANT console_staging_admin TO console_nobody`"), "\(words)")
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
