import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

extension Trait where Self == SharedLab {
    /// A relay that retries at once and gives up after six seconds.
    fileprivate static var impatientRelay: Self {
        var options = LabRelayOptions()
        options.settings = ["retry.schedule": "[10ms]", "retry.lifetime": "6s", "retry.dane-lifetime": "6s"]
        return .lab(
            [
                .dane("alpha.test"), .forgedCertificate("forged.test"), .forgedCertificate("silent.test"),
                .dane("closed.test", rules: [.on(.everyRecipient, .reply("550 5.1.1 No such user"))]),
                .dane("severed.test", rules: [.on(.endOfData, connection: 1, .close)]),
                .dane(
                    "mixed.test",
                    rules: [
                        .on(.recipient(2), connection: 1, .reply("450 4.2.0 Mailbox busy")),
                        .on(.recipient(3), connection: 1, .reply("550 5.1.1 No such user")),
                    ]),
            ], options)
    }
}

@Suite("The life of a message", .impatientRelay, .timeLimit(.minutes(2)))
struct MessageLifeTests {
    @Test("What is deferred keeps code and reason, is retried, and expires into a report of host, code and reason")
    func expiry() async throws {
        let lab = try SharedLab.lab
        let sender = "expiry@alpha.test"
        let id = try await lab.submit(from: sender, to: "bob@forged.test")
        let trace = try await lab.wait(for: id) { $0.contains { $0.kind == .fail } }
        let attempts = trace.filter { $0.kind != .receive }
        #expect(attempts.count >= 2)
        #expect(attempts.map(\.attempt) == Array(1...attempts.count))
        for event in attempts.dropLast() {
            #expect(event.kind == .defer)
            #expect(event.reason == "tlsa-invalid")
            #expect(event.status.map { "\($0)" } == "4.7.323")
            #expect(event.nextAttempt != nil)
        }
        let last = try #require(attempts.last)
        #expect(last.kind == .fail)
        #expect(last.status.map { "\($0)" } == "5.7.323")
        try await lab.expectLogged(last)
        #expect(lab.relayd.logLines.contains { $0["message_id"] == "\(id)" && $0["event"] == "expiration" })

        let report = try await lab.deliveredReport(on: id, to: sender, at: "alpha.test")
        #expect(report.reversePath == "")
        #expect(report.text.contains("Content-Type: multipart/report; report-type=delivery-status;"))
        #expect(
            report.text.contains("Final-Recipient: rfc822; bob@forged.test\r\nAction: failed\r\nStatus: 5.7.323\r\n"))
        #expect(report.text.contains("host mx.forged.test") && !report.text.contains("Remote-MTA"))
        #expect(report.text.contains("tlsa-invalid"))
        #expect(lab.peer("forged.test").server.messageCount == 0)
    }

    @Test("The null sender is never sent a report, and neither is a report that fails (RFC 5321 §4.5.5)")
    func noBackscatter() async throws {
        let lab = try SharedLab.lab
        let nobody = try await lab.submit(from: "", to: "bob@silent.test")
        try await lab.wait(for: nobody) { $0.contains { $0.kind == .fail } }
        #expect(try await lab.reports(on: nobody).isEmpty)

        let refused = try await lab.submit(from: "bob@closed.test", to: "bob@closed.test")
        let failed = try await lab.firstOutcome(of: refused)
        #expect(failed.kind == .fail)
        #expect(failed.status.map { "\($0)" } == "5.1.1")
        let report = try #require(try await lab.reports(on: refused).first)
        try await lab.wait(for: report) { $0.contains { $0.kind == .fail } }
        #expect(try await lab.reports(on: report).isEmpty)
    }

    @Test("hostile-input 21: a connection that ends behind the dot is marked as in doubt, counted, and tried again")
    func severed() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "bob@severed.test")
        let trace = try await lab.wait(for: id) { $0.contains { $0.kind == .send } }
        let attempts = trace.filter { $0.kind != .receive }
        #expect(attempts.map(\.kind) == [.defer, .send])
        let doubtful = try #require(attempts.first)
        #expect(doubtful.reason == "connection-lost")
        #expect(doubtful.status?.class == .persistentTransientFailure)
        #expect(doubtful.reply?.hasSuffix("the message may have been delivered") == true, "\(doubtful.reply ?? "")")
        try await lab.expectLogged(doubtful)
        #expect(try await lab.relayd.metric("relayd_deliveries_total", label: "result=\"ambiguous\"") == 1)
        // The host read both dots: only so can a message go out twice.
        #expect(lab.peer("severed.test").server.received.map(\.replyCode) == [nil, 250])
    }

    @Test("hostile-input 20: RCPT answered 250, 450 and 550 in one transaction: three outcomes, each kept by itself")
    func threeOutcomes() async throws {
        let lab = try SharedLab.lab
        let sender = "mixed@alpha.test"
        let id = try await lab.submit(from: sender, to: "one@mixed.test", "two@mixed.test", "three@mixed.test")
        let trace = try await lab.wait(for: id) { $0.filter { $0.kind == .send }.count == 2 }
        let first = trace.filter { $0.attempt == 1 }
        #expect(first.map(\.kind) == [.send, .defer, .fail])
        #expect(first.map(\.recipients) == ["one@mixed.test", "two@mixed.test", "three@mixed.test"])
        #expect(first.map { $0.status.map { "\($0)" } } == ["2.0.0", "4.2.0", "5.1.1"])
        #expect(first.map(\.reason) == [nil, "remote-reply", "remote-reply"])
        for event in first { try await lab.expectLogged(event) }
        #expect(trace.last?.recipients == "two@mixed.test")

        let report = try await lab.deliveredReport(on: id, to: sender, at: "alpha.test")
        #expect(report.text.contains("Final-Recipient: rfc822; three@mixed.test\r\n"))
        #expect(report.text.contains("550 5.1.1 No such user"))
        #expect(!report.text.contains("Final-Recipient: rfc822; one@mixed.test"))
        #expect(!report.text.contains("Final-Recipient: rfc822; two@mixed.test"))
        let copies = lab.peer("mixed.test").server.received.map(\.recipients)
        #expect(copies == [["one@mixed.test"], ["two@mixed.test"]])
    }
}
