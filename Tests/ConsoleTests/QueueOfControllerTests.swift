import Console
import DeliveryQueue
import Foundation
import MailModel
import QueueStore
import Testing

@Suite("The queue through a controller", .timeLimit(.minutes(2)))
struct QueueOfControllerTests {
    private static func selection(_ domain: String) -> EntrySelection {
        var selection = EntrySelection()
        selection.domains = [domain]
        return selection
    }

    /// What changes between two looks at the same: ages.
    private static func withoutAges(_ text: String) -> String {
        text.replacing(#/\d+[dhms]( \d+[hms])?|"?\d{4}-\d{2}-\d{2}T[0-9:.]+Z"?/#, with: "T")
    }

    @Test("What reads says the same as on the database, in every format", arguments: OutputFormat.allCases)
    func reading(_ format: OutputFormat) async throws {
        try await ConsoleFixture.run { queue in
            let id = try await queue.enqueue(to: "bravo.test", "charlie.test")
            try await queue.enqueue(["bob", "alice"], at: "delta.test")
            try await queue.fail("bravo.test")
            let commands: [ConsoleFixture.Command] = [
                .list(), .list(limit: 1), .list(Self.selection("bravo.test")), .list(limit: 2, order: .age),
                .show("\(id)"), .show("01ARZ3NDEKTSV4RRFFQ69G5FAV"), .summary(isExact: false), .summary(isExact: true),
                .shape([], limit: 10), .shape([.deferred], limit: 1), .cat("\(id)"), .cat("\(id)", .body),
                .cat("01ARZ3NDEKTSV4RRFFQ69G5FAV"), .rules,
            ]
            for command in commands {
                let straight = await queue.run(command, format)
                let told = await queue.run(command, format, by: .controller)
                #expect(Self.withoutAges(told.output) == Self.withoutAges(straight.output), "\(command)")
                #expect(told.failure == straight.failure && told.said == straight.said, "\(command)")
            }
        }
    }

    @Test("What changes does the same, and the record has the caller")
    func changing() async throws {
        try await ConsoleFixture.run { queue in
            try await queue.enqueue(to: "bravo.test")
            for action in [QueueAction.hold, .release, .retry] {
                let request = ActionRequest(action, Self.selection("bravo.test"), by: "nobody")
                let told = await queue.run(.perform(request), by: .controller)
                #expect(try told.failure == nil && told.json["affected"] as? Int == 1, "\(action)")
            }
            var dry = ActionRequest(.drop, Self.selection("bravo.test"), by: "nobody")
            dry.isDryRun = true
            let counted = await queue.run(.perform(dry), by: .controller)
            #expect(try counted.json["affected"] as? Int == 1)
            let flushed = await queue.run(.flush(DNSFlushRequest("bravo.test", by: "nobody")), by: .controller)
            #expect(flushed.failure == nil)
        }
    }

    @Test("A rule is made, listed and lifted; its actor is the caller, and not what the command says")
    func rules() async throws {
        try await ConsoleFixture.run { queue in
            try await queue.enqueue(to: "bravo.test")
            let request = RuleRequest(.suspend, "bravo.test", because: "their disk is full", by: "nobody")
            let made = await queue.run(.make(request), by: .controller)
            #expect(try made.json["actor"] as? String == "olga@ops")
            #expect(try made.json["domain"] as? String == "bravo.test")
            let listed = await queue.run(.rules, .jsonl)
            #expect(try listed.json["reason"] as? String == "their disk is full")
            var lift = ResumeRequest(by: "nobody")
            lift.domain = "bravo.test"
            #expect(await queue.run(.resume(lift), by: .controller).failure == nil)
            #expect(await queue.run(.rules, .jsonl).output.isEmpty)
        }
    }

    @Test("Content of many pieces comes whole, and no further than is wanted")
    func content() async throws {
        try await ConsoleFixture.run { queue in
            let body = "Subject: x\r\n\r\n" + String(repeating: "0123456789abcde\r\n", count: 3_000)
            let id = try await queue.enqueue(to: "bravo.test", body: body)
            #expect(await queue.run(.cat("\(id)"), by: .controller).output == body)
            #expect(await queue.run(.cat("\(id)", .headers), by: .controller).output == "Subject: x\r\n")
        }
    }
}
