import Foundation
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

extension Trait where Self == SharedLab {
    /// A relay beside an operator who makes rules.
    fileprivate static var ruledRelay: Self {
        SharedLab { body in
            let busy = LabDomain.dane("bounced.test", rules: [.on(.everyRecipient, .reply("450 4.2.1 Busy"))])
            try await LabRelay.with([.dane("alpha.test"), .dane("paused.test"), .dane("brief.test"), busy]) { lab in
                try await body(lab)
            }
        }
    }
}

/// `relayctl queue suspend`, `bounce`, `rules` and `resume` as an operator runs them, beside a relay at work.
@Suite("Standing rules of an operator", .ruledRelay, .timeLimit(.minutes(3)))
struct StandingRuleTests {
    private func relayctl(_ arguments: String...) async throws -> ProgramRun {
        let run = try await SharedLab.lab.relayctl(["queue"] + arguments)
        try #require(run.status == 0, "\(run.errors)")
        return run
    }

    /// Waits until what `/readyz?verbose` says is as wanted: the node has seen the rules.
    private func waitUntilReady(says text: String, _ isSaid: Bool = true) async throws {
        var last = ""
        let isAsWanted = try await eventually(within: .seconds(10), every: .milliseconds(50)) {
            let now = try await SharedLab.lab.relayd.readiness(isVerbose: true)
            try #require(now.status == 200, "a rule fails no check")
            last = now.text
            return last.contains(text) == isSaid
        }
        try #require(isAsWanted, "\(last)")
    }

    @Test(
        "Mail for a suspended domain is taken, waits as deferred for the operator's reason, and goes when it is resumed"
    )
    func suspend() async throws {
        let lab = try SharedLab.lab
        let made = try await self.relayctl(
            "suspend", "--domain", "paused.test", "--for", "2h", "--reason", "disk full", "-o", "json"
        ).json
        let started = ContinuousClock.now
        try await self.waitUntilReady(says: "suspend paused.test until ")
        #expect(ContinuousClock.now - started < .seconds(3))
        #expect(try await lab.relayd.metric("relayd_queue_rules", label: "action=\"suspend\"") >= 1)
        let id = try await lab.submit(to: "bob@paused.test")
        // Mail that came later, for another domain, has gone meanwhile.
        let other = try await lab.submit(to: "bob@alpha.test")
        try await lab.wait(for: other) { $0.first(.send) != nil }
        #expect(try await lab.trace(of: id).map(\.kind) == [.receive])
        #expect(lab.peer("paused.test").server.received.isEmpty)
        let entry = try await self.relayctl("list", "--id", "\(id)", "-o", "jsonl").json
        #expect(entry["state"] as? String == "deferred" && entry["queue_name"] as? String == "deferred")
        #expect(entry["suspended_because"] as? String == "disk full" && entry["waits_for"] as? String == "suspended")
        #expect(entry["next_attempt"] as? String == made["until"] as? String)
        let table = try await self.relayctl("list", "--id", "\(id)").output
        #expect(table.contains("suspended: disk full"))
        // Other tests of the suite have rules of their own meanwhile.
        let rules = try await self.relayctl("rules", "-o", "jsonl").jsonLines
        let rule = try #require(rules.first { $0["domain"] as? String == "paused.test" })
        #expect(rule["id"] as? Int == made["id"] as? Int)

        _ = try await self.relayctl("resume", "--domain", "paused.test", "--reason", "repaired")
        let resumed = ContinuousClock.now
        try await lab.wait(for: id) { $0.first(.send) != nil }
        #expect(ContinuousClock.now - resumed < .seconds(5))
        try await self.waitUntilReady(says: "paused.test", false)
    }

    @Test("A suspension ends at its time by itself")
    func ends() async throws {
        let lab = try SharedLab.lab
        _ = try await self.relayctl("suspend", "--domain", "brief.test", "--for", "4s", "--reason", "a moment")
        try await self.waitUntilReady(says: "suspend brief.test")
        let id = try await lab.submit(to: "eve@brief.test")
        let trace = try await lab.wait(for: id) { $0.first(.send) != nil }
        let (taken, sent) = (try #require(trace.first(.receive)?.at), try #require(trace.first(.send)?.at))
        #expect(sent - taken > .milliseconds(1500), "it has waited")
    }

    @Test(
        "Mail for a bounced domain is given up with a report, and a new recipient refused with 550, the reason and a line"
    )
    func bounce() async throws {
        let lab = try SharedLab.lab
        let sender = "s\(UUID().uuidString.prefix(8))@alpha.test"
        let id = try await lab.submit(from: sender, to: "bob@bounced.test")
        try await lab.wait(for: id) { $0.first(.defer) != nil }
        let command = ["queue", "bounce", "--domain", "bounced.test", "--for", "1h", "--reason", "they were hacked"]
        let unconfirmed = try await lab.relayctl(command)
        #expect(unconfirmed.status == 64 && unconfirmed.errors.contains("--yes"))
        let done = try await lab.relayctl(command + ["--yes"])
        #expect(done.status == 0 && done.output.contains("gave up 1 entry"), "\(done)")
        let report = try await lab.deliveredReport(on: id, to: sender, at: "alpha.test").text
        #expect(report.contains("Action: failed\r\nStatus: 5.7.0\r\n") && report.contains("they were hacked"))
        #expect(report.contains("An operator of this mail system"))
        #expect(try await lab.trace(of: id).last?.reason == "failed-by-operator")

        try await self.waitUntilReady(says: "bounce bounced.test")
        let reply = try await SMTPDialog.with(port: lab.smtpPort) { smtp in
            try await smtp.hello()
            try await smtp.say("MAIL FROM:<\(sender)>")
            return try await smtp.say("RCPT TO:<bob@bounced.test>")
        }
        #expect(
            reply.code == 550 && "\(reply)".contains("5.7.0") && "\(reply)".contains("they were hacked"), "\(reply)")
        let line = await lab.relayd.waitForLogLine {
            $0["event"] == "rejection" && $0["rcpt_domain"] == "bounced.test" && $0["reason"] == "bounce_rule"
        }
        #expect(line != nil)
        #expect(try await lab.relayd.metric("relayd_smtpd_rejects_total", label: "reason=\"bounce_rule\"") == 1)
        _ = try await self.relayctl("resume", "--domain", "bounced.test")
        try await self.waitUntilReady(says: "bounced.test", false)
        try await lab.submit(from: sender, to: "bob@bounced.test")
    }
}
