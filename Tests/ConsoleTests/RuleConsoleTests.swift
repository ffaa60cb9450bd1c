import Console
import DeliveryQueue
import MailModel
import QueueStore
import Testing

@Suite("The console of standing rules", .timeLimit(.minutes(2)))
struct RuleConsoleTests {
    private static func make(
        _ action: QueueRule.Action, _ domain: String?, because reason: String = "disk full",
        _ change: (inout RuleRequest) -> Void = { _ in }
    ) -> ConsoleFixture.Command {
        var request = RuleRequest(action, domain, because: reason, by: "olga@ops")
        change(&request)
        return .make(request)
    }

    private static func resume(_ change: (inout ResumeRequest) -> Void) -> ConsoleFixture.Command {
        var request = ResumeRequest(by: "olga@ops")
        change(&request)
        return .resume(request)
    }

    @Test("A rule is told when it is made, listed in each format, and lifted by its domain or its number")
    func life() async throws {
        try await ConsoleFixture.run { queue in
            let made = try await queue.run(Self.make(.suspend, "BRAVO.test")).json
            #expect(made["id"] as? Int == 1 && made["domain"] as? String == "bravo.test")
            #expect(made["until"] is String, "an hour, unless said")
            let told = await queue.run(Self.make(.suspend, "*.bücher.test") { $0.end = .lifted }, .table)
            #expect(told.output == "rule 2: suspend *.xn--bcher-kva.test, ends when lifted\n")
            let list = try await queue.run(.rules).json["rules"] as? [[String: Any]]
            #expect(list?.map { $0["id"] as? Int } == [1, 2])
            #expect(await queue.run(.rules, .jsonl).output.split(separator: "\n").count == 2)
            #expect(await queue.run(.rules, .yaml).output.contains("reason: \"disk full\""))
            let table = await queue.run(.rules, .table).output.split(separator: "\n")
            #expect(table.count == 3 && table[2].contains("when lifted") && table[2].contains("olga@ops"))
            #expect(await queue.run(Self.resume { $0.id = 2 }, .table).output.hasPrefix("lifted rule 2: suspend"))
            #expect(await queue.run(Self.resume { $0.domain = "bravo.test" }).failure == nil)
            #expect(await queue.run(Self.resume { $0.domain = "bravo.test" }).failure?.status == .badData)
            #expect(await queue.run(.rules, .table).output.isEmpty)
        }
    }

    @Test("A dry run counts what waits, and makes nothing; what is held is not counted")
    func dryRun() async throws {
        try await ConsoleFixture.run { queue in
            try await queue.enqueue(to: "bravo.test", "mx.bravo.test", "charlie.test")
            try await queue.fail("mx.bravo.test")
            for (domain, count) in [("bravo.test", 1), ("*.bravo.test", 1), ("delta.test", 0)] {
                let plan = try await queue.run(Self.make(.bounce, domain) { $0.isDryRun = true }).json
                #expect(plan["affected"] as? Int == count && plan["dry_run"] as? Bool == true, "\(domain)")
            }
            let all = Self.make(.suspend, nil) {
                $0.isDryRun = true
                $0.isEverythingMeant = true
            }
            #expect(await queue.run(all, .table).output == "would suspend every domain: 3 entries\n")
            let hold = ActionRequest(.hold, EntrySelection(), by: "olga@ops")
            var everything = hold
            everything.isEverythingMeant = true
            everything.isConfirmed = true
            #expect(await queue.run(.perform(everything)).failure == nil)
            #expect(await queue.run(all, .table).output == "would suspend every domain: 0 entries\n")
            #expect(await queue.run(.rules, .table).output.isEmpty)
        }
    }

    @Test("A bounce asks first, gives up what waits, and has two records: the rule, and what was given up")
    func bounce() async throws {
        try await ConsoleFixture.run { queue in
            try await queue.enqueue(to: "bravo.test", "mx.bravo.test")
            try await queue.fail("mx.bravo.test")
            #expect(await queue.run(Self.make(.bounce, "*.bravo.test")).failure?.status == .usage)
            let no = await queue.run(Self.make(.bounce, "*.bravo.test"), answer: false)
            #expect(no.failure?.status == .failed && no.asked == ["bounce *.bravo.test, now 1 entry? [y/N] "])
            let yes = try await queue.run(Self.make(.bounce, "*.bravo.test"), answer: true).json
            #expect(yes["affected"] as? Int == 1 && yes["action"] as? String == "bounce")
            #expect(try await queue.recordedSelection().hasPrefix("domain=*.bravo.test state="))
            let verdicts = try await queue.run(.list()).json["entries"] as? [[String: Any]]
            #expect(verdicts?.filter { $0["verdict"] as? String == "disk full" }.count == 1)
        }
    }

    @Test("A bounce of many domains gives up no mail from the null sender; one that names the domain does")
    func nullSender() async throws {
        try await ConsoleFixture.run { queue in
            for sender in ["alice@alpha.test", ""] { try await queue.enqueue(to: "mx.bravo.test", from: sender) }
            for (domain, action, count) in [
                ("*.bravo.test", QueueRule.Action.bounce, 1), ("*.bravo.test", .suspend, 2),
                ("mx.bravo.test", .bounce, 2),
            ] {
                let plan = try await queue.run(Self.make(action, domain) { $0.isDryRun = true }).json
                #expect(plan["affected"] as? Int == count, "\(action) \(domain)")
            }
            let made = try await queue.run(Self.make(.bounce, "*.bravo.test"), answer: true).json
            #expect(made["affected"] as? Int == 1)
            #expect(try await queue.recordedSelection().hasSuffix(" has-sender"))
        }
    }

    @Test("What is not clear is refused, and so is who may not")
    func refused() async throws {
        try await ConsoleFixture.run { queue in
            let past = Timestamp(seconds: 1_700_000_000)
            for wrong in [
                Self.make(.suspend, nil), Self.make(.suspend, "a b"), Self.make(.suspend, "*"),
                Self.make(.suspend, "bravo.test", because: ""),
                Self.make(.suspend, "bravo.test", because: String(repeating: "x", count: 201)),
                Self.make(.suspend, "bravo.test") { $0.isEverythingMeant = true },
                Self.make(.suspend, nil) { $0.isEverythingMeant = true },
                Self.make(.suspend, "bravo.test") { $0.end = .at(past) }, Self.resume { _ in },
                Self.resume {
                    $0.id = 1
                    $0.domain = "bravo.test"
                },
            ] {
                #expect(await queue.run(wrong).failure?.status == .usage)
            }
            try await queue.fillRules()
            let tooMany = await queue.run(Self.make(.suspend, "bravo.test")).failure
            #expect(tooMany?.status == .failed)
            #expect(
                tooMany?.description.hasSuffix("there are 1000 rules in force, which is the most: lift some") == true)
            let nobody = try await queue.connectionOfNobody()
            #expect(await queue.run(Self.make(.suspend, "bravo.test"), connection: nobody).failure?.status == .denied)
        }
    }
}
