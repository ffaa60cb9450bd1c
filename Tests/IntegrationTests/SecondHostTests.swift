import LabDNS
import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

extension Trait where Self == SharedLab {
    /// Domains `via-NAME.test` with two MX hosts: first the one of `NAME.test`, which does not take the mail, then a healthy one.
    fileprivate static var twoHosts: Self {
        let firsts: [LabDomain] = [
            .dane("full.test", rules: [.on(.mail, .reply("452 4.3.1 disk full"))]),
            .dane("grey.test", rules: [.on(.everyRecipient, .reply("451 4.7.1 greylisted"))]),
            .dane("picky.test", rules: [.on(.recipient(1), .reply("450 4.2.1 later"))]),
            .dane("busy.test", rules: [.on(.data, .reply("451 4.3.0 busy"))]),
            .dane("late.test", rules: [.on(.endOfData, .reply("451 4.3.0 not now"))]),
            .dane("leaving.test", rules: [.on(.endOfData, .reply("421 4.3.2 going down"), .close)]),
            .dane("lost.test", rules: [.on(.endOfData, .close)]),
            .dane("seven.test", rules: [.offer(["STARTTLS", "PIPELINING", "ENHANCEDSTATUSCODES"])]),
        ]
        return SharedLab { body in
            var options = LabRelayOptions()
            options.settings = [
                "accepted-domains": """
                [{domain: via-grey-asked.test, recipients: call-ahead}, \
                {domain: via-nowhere-asked.test, recipients: call-ahead}]
                """
            ]
            let healthy = LabDomain.dane("healthy.test")
            // More hosts without an address than may fail to be looked up.
            let nowhere = (1...12).map { LabRecord.mx("mx\($0).nowhere.test") }
            options.zones =
                firsts.map { first in
                    LabZone(
                        "via-\(first.name)", [.mx(first.host, preference: 10), .mx(healthy.host, preference: 20)])
                } + [
                    LabZone(
                        "via-grey-asked.test",
                        [.mx("mx.grey.test", preference: 10), .mx(healthy.host, preference: 20)]),
                    LabZone("nowhere.test", nowhere),
                    LabZone("via-nowhere.test", nowhere + [.mx(healthy.host, preference: 20)]),
                    LabZone("via-nowhere-asked.test", nowhere + [.mx(healthy.host, preference: 20)]),
                ]
            try await LabRelay.with(firsts + [healthy, .dane("alpha.test")], options, body)
        }
    }
}

/// A domain's first host does not take the mail now, or cannot be given it; the second would (RFC 5321 §5.1).
@Suite("The next host", .twoHosts, .timeLimit(.minutes(2)))
struct SecondHostTests {
    private func taken(by domain: String, for address: String) throws -> Int {
        try SharedLab.lab.peer(domain).server.received.count { $0.recipients.contains(address) }
    }

    @Test(
        "A 4yz to MAIL, RCPT, DATA or its end is no success: the next host takes the mail at once (field C1, C13)",
        arguments: ["full", "grey", "busy", "late", "leaving"])
    func nextHost(first: String) async throws {
        let lab = try SharedLab.lab
        let address = "bob@via-\(first).test"
        let trace = try await lab.wait(for: try await lab.submit(to: address)) { $0.first(.send) != nil }
        // One row for each host that answered.
        #expect(trace.map(\.kind) == [.receive, .defer, .send])
        #expect(trace.dropFirst().map(\.mxHost) == ["mx.\(first).test", "mx.healthy.test"])
        #expect(trace[1].reason == "remote-reply" && trace[1].nextAttempt == nil)
        #expect(try self.taken(by: "healthy.test", for: address) == 1)
    }

    @Test("The next host is asked only for the recipients concerned (field C1)")
    func recipientsConcerned() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "one@via-picky.test", "two@via-picky.test")
        let trace = try await lab.wait(for: id) { $0.count { $0.kind == .send } == 2 }
        #expect(trace.filter { $0.kind == .send }.map(\.recipients) == ["two@via-picky.test", "one@via-picky.test"])
        #expect(lab.peer("picky.test").server.received.map(\.recipients) == [["two@via-picky.test"]])
        #expect(try self.taken(by: "healthy.test", for: "one@via-picky.test") == 1)
        #expect(try self.taken(by: "healthy.test", for: "two@via-picky.test") == 0)
    }

    @Test("No second host is asked behind a final dot without an answer (field C1)")
    func openDot() async throws {
        let lab = try SharedLab.lab
        let trace = try await lab.wait(for: try await lab.submit(to: "bob@via-lost.test")) { $0.count > 1 }
        #expect(trace.map(\.kind) == [.receive, .defer] && trace[1].mxHost == "mx.lost.test")
        #expect(try self.taken(by: "healthy.test", for: "bob@via-lost.test") == 0)
    }

    @Test("8-bit text goes to the host with 8BITMIME, and is final only where no host has it (field C2, C3)")
    func eightBitText() async throws {
        let lab = try SharedLab.lab
        func message(to address: String) -> String {
            LabRelay.message(from: "alice@alpha.test", to: [address], text: "Grüße")
        }
        let address = "bob@via-seven.test"
        let id = try await lab.submit(to: address, message: message(to: address))
        let trace = try await lab.wait(for: id) { $0.first(.send) != nil }
        #expect(trace.map(\.kind) == [.receive, .defer, .send])
        #expect(trace[1].reason == "unsupported-by-host" && trace[1].status.map { "\($0)" } == "4.6.3")
        #expect(try self.taken(by: "healthy.test", for: address) == 1)

        let alone = try await lab.submit(to: "bob@seven.test", message: message(to: "bob@seven.test"))
        let end = try #require(try await lab.wait(for: alone) { $0.first(.fail) != nil }.first(.fail))
        #expect(end.reason == "unsupported-by-host" && end.status.map { "\($0)" } == "5.6.3")
        #expect(lab.peer("seven.test").server.messageCount == 0)
        let report = try await lab.deliveredReport(on: alone, to: "alice@alpha.test", at: "alpha.test")
        #expect(report.text.contains("Status: 5.6.3\r\nDiagnostic-Code: x-relay; 5.6.3 unsupported-by-host: "))
    }

    @Test("Hosts that provably do not exist are passed over, however many (field C9)")
    func absentHosts() async throws {
        let lab = try SharedLab.lab
        let address = "bob@via-nowhere.test"
        let trace = try await lab.wait(for: try await lab.submit(to: address)) { $0.first(.send) != nil }
        // One row for each of them, in one attempt.
        #expect(trace.count { $0.kind == .defer && $0.reason == "no-such-host" && $0.nextAttempt == nil } == 12)
        #expect(trace.last?.kind == .send && trace.last?.attempt == 1 && trace.last?.mxHost == "mx.healthy.test")
        try await ClientScript(
            .hello, .send("MAIL FROM:<a@client.test>"), .expect(250), .send("RCPT TO:<bob@via-nowhere-asked.test>"),
            .expect(250)
        ).play(port: lab.smtpPort)
    }

    @Test("Where no host exists, the first attempt is the last one: 5.4.4 (field C9)")
    func noHostExists() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(from: "carol@alpha.test", to: "bob@nowhere.test")
        let trace = try await lab.wait(for: id) { $0.first(.fail) != nil }
        #expect(trace.map(\.kind) == [.receive] + Array(repeating: .fail, count: 12))
        let ends = trace.dropFirst()
        #expect(ends.allSatisfy { $0.attempt == 1 && $0.reason == "no-such-host" && $0.status?.description == "5.4.4" })
        let report = try await lab.deliveredReport(on: id, to: "carol@alpha.test", at: "alpha.test")
        #expect(report.text.contains("Status: 5.4.4\r\n"))
    }

    @Test("Call-ahead asks the next host too where the first one says 4yz (field C1)")
    func callAhead() async throws {
        try await ClientScript(
            .hello, .send("MAIL FROM:<a@client.test>"), .expect(250), .send("RCPT TO:<bob@via-grey-asked.test>"),
            .expect(250)
        ).play(port: try SharedLab.lab.smtpPort)
        #expect(try SharedLab.lab.peer("grey.test").server.commands.contains("RCPT TO:<bob@via-grey-asked.test>"))
    }
}
