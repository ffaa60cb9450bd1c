import LabDatabase
import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

/// A broken dependency means waiting or 4xx, never loss and never cleartext.
@Suite("Dependencies that fail", .timeLimit(.minutes(2)))
struct FaultTests {
    private static func options(_ settings: [String: String]) -> LabRelayOptions {
        var options = LabRelayOptions()
        options.settings = ["retry.schedule": "[500ms]"].merging(settings) { $1 }
        return options
    }

    @Test(
        "hostile-input 30: while PostgreSQL is down clients get 4xx; when it is back, mail is taken, and nothing acknowledged is lost"
    )
    func databaseOutage() async throws {
        let settings = Self.options(["database.acquire-timeout": "1s", "database.connect-timeout": "1s"])
        let busy = ScriptedRule.on(.everyRecipient, .reply("450 4.2.0 Mailbox busy"))
        try await LabRelay.with([.dane("bravo.test"), .dane("late.test", rules: [busy])], settings) { lab in
            let early = try await lab.submit(to: "early@late.test")
            try await lab.wait(for: early) { $0.contains { $0.kind == .defer } }
            await lab.postgres.stopImmediately()

            let refused = try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                return try await smtp.submit(
                    from: "alice@alpha.test", to: ["bob@bravo.test"],
                    LabRelay.message(from: "alice@alpha.test", to: ["bob@bravo.test"]))
            }
            #expect((400..<500).contains(refused.code), "\(refused)")

            lab.peer("late.test").server.follow([])
            try await lab.postgres.restart()
            try await lab.relayd.waitUntilReady(within: .seconds(30))
            try await lab.submit(to: "bob@bravo.test")
            let (late, bravo) = (lab.peer("late.test").server, lab.peer("bravo.test").server)
            #expect(await late.wait(within: .seconds(30)) { $0.messageCount == 1 }, "what was acknowledged came")
            #expect(await bravo.wait(within: .seconds(30)) { $0.messageCount == 1 }, "only what was acknowledged came")
        }
    }
}
