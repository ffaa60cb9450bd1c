import Foundation
import LabDNS
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

/// How mail goes out: from which address, to which, over how many connections, and how fast.
@Suite("Egress", .timeLimit(.minutes(3)))
struct EgressTests {
    // MARK: Where mail must not go

    @Test("hostile-input 24: an MX on loopback is a loop, and bounces with 5.4.6 at once")
    func loopback() async throws {
        var options = LabRelayOptions()
        options.settings = ["delivery.allow-loopback": "false"]
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            let failed = try await lab.firstOutcome(of: lab.submit(to: "bob@bravo.test"))
            #expect(failed.kind == .fail)
            #expect(failed.reason == "routing-loop")
            #expect(failed.status.map { "\($0)" } == "5.4.6")
            #expect(lab.peer("bravo.test").server.connectionCount == 0)
        }
    }

    @Test("Mail for an address literal goes to that address, over TLS where it is offered (field C16)")
    func literal() async throws {
        try await LabRelay.with([.dane("bravo.test"), .dane("charlie.test")], LabRelayOptions()) { lab in
            let (first, second) = (lab.peer("bravo.test").server, lab.peer("charlie.test").server)
            let recipients = ["bob@[\(first.address)]", "carol@[\(second.address)]", "dave@[\(first.address)]"]
            let id = try await lab.submit(to: recipients)
            let trace = try await lab.wait(for: id) { $0.count { $0.kind == .send } == 2 }
            #expect(first.received.map(\.recipients) == [[recipients[0], recipients[2]]])
            #expect(second.received.map(\.recipients) == [[recipients[1]]])
            #expect(first.received.first?.tls != nil)
            let sent = trace.filter { $0.kind == .send }
            #expect(Set(sent.map(\.requirement)) == ["opportunistic"])
            #expect(Set(sent.map(\.address)) == [first.address, second.address])
        }
    }

    @Test("An address literal on loopback is a loop, and bounces with 5.4.6 at once (field C16)")
    func literalOnLoopback() async throws {
        var options = LabRelayOptions()
        options.settings = ["delivery.allow-loopback": "false", "delivery.own-addresses": "[192.0.2.77]"]
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            for address in [lab.peer("bravo.test").server.address, "192.0.2.77"] {
                let failed = try await lab.firstOutcome(of: lab.submit(to: "bob@[\(address)]"))
                #expect(failed.kind == .fail && failed.reason == "routing-loop")
                #expect(failed.status.map { "\($0)" } == "5.4.6")
                #expect(failed.reply?.contains("[\(address)]") == true)
            }
            #expect(lab.peer("bravo.test").server.connectionCount == 0)
        }
    }

    @Test("hostile-input 24: an MX at one of our own addresses bounces, and those behind it are not asked")
    func ownAddress() async throws {
        var options = LabRelayOptions()
        options.settings = ["delivery.own-addresses": "[192.0.2.77]"]
        options.zones = [
            LabZone(
                "own.test",
                [
                    .mx("us.own.test", preference: 1), .mx("mx.bravo.test", preference: 2),
                    .a("us.own.test", "192.0.2.77"),
                ])
        ]
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            let failed = try await lab.firstOutcome(of: lab.submit(to: "bob@own.test"))
            #expect(failed.status.map { "\($0)" } == "5.4.6")
            #expect(failed.mxHost == "us.own.test")
            #expect(lab.peer("bravo.test").server.connectionCount == 0)
        }
    }

    // MARK: Rule 28

    @Test("dane-rules 28: a broken handshake is followed by cleartext on a new connection, but never where TLS is owed")
    func brokenHandshake() async throws {
        let breaks = ScriptedRule.on(.startTLS, .reply("220 Go ahead"), .wait(.milliseconds(50)), .close)
        var lenient = LabDomain.opportunistic("lenient.test")
        lenient.rules = [breaks]
        try await LabRelay.with([lenient, .dane("owed.test", rules: [breaks])], LabRelayOptions()) { lab in
            let sent = try await lab.firstOutcome(of: lab.submit(to: "bob@lenient.test"))
            #expect(sent.kind == .send)
            #expect(sent.authentication == AuthenticationLabel.none)
            #expect(sent.tlsFailure?.hasPrefix("ended: ") == true)
            let server = lab.peer("lenient.test").server
            #expect(server.connectionCount == 2)
            #expect(server.received.map(\.tls) == [nil])
            // The second connection does not ask for TLS again.
            #expect(server.commands.count { $0 == "STARTTLS" } == 1)

            let held = try await lab.firstOutcome(of: lab.submit(to: "bob@owed.test"))
            #expect(held.kind == .defer)
            #expect(held.reason == "tls-handshake-failed")
            #expect(held.status.map { "\($0)" } == "4.7.323")
            #expect(!lab.peer("owed.test").server.commands.contains { $0.hasPrefix("MAIL") })
        }
    }

    // MARK: Sites

    /// So many domains with one MX host, `mx.shared.test`.
    private static func sharing(_ count: Int) -> (host: LabDomain, domains: [String]) {
        var host = LabDomain.dane("shared.test")
        let domains = (1...count).map { "d\($0).shared.test" }
        host.records = domains.map { .mx(host.host, owner: $0) }
        return (host, domains)
    }

    @Test("dane-rules 26: domains with one MX host share its limit, and a connection that proved the host by 3 1 1")
    func sharedSite() async throws {
        let (host, domains) = Self.sharing(40)
        var options = LabRelayOptions()
        options.settings = ["delivery.max-connections-per-site": "1"]
        try await LabRelay.with([host], options) { lab in
            let server = lab.peer("shared.test").server
            let reply = try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                return try await smtp.submit(
                    from: "alice@alpha.test", to: domains.map { "bob@\($0)" },
                    LabRelay.message(from: "alice@alpha.test", to: ["bob@shared.test"]))
            }
            let id = try #require(reply.messageID)
            let trace = try await lab.wait(for: id, within: .seconds(60)) { $0.count { $0.kind == .send } == 40 }
            let sent = trace.filter { $0.kind == .send }
            #expect(Set(sent.map(\.domain.text)) == Set(domains))
            #expect(sent.allSatisfy { $0.authentication == .dane })
            #expect(server.messageCount == 40)
            // One connection for each event loop would do; without sharing there would be forty.
            #expect(server.connectionCount < 40)
            #expect(
                server.received.contains { mail in
                    server.received.contains { $0.connection == mail.connection && $0.recipients != mail.recipients }
                })
            #expect(Self.mostOpen(server.events) == 1)
        }
    }

    /// The most connections at the same time.
    private static func mostOpen(_ events: [ScriptedEvent]) -> Int {
        var (open, most) = (Set<Int>(), 0)
        for event in events {
            switch event {
            case .opened(let connection, _): open.insert(connection)
            case .closed(let connection): open.remove(connection)
            case .command, .handshake: ()
            }
            most = max(most, open.count)
        }
        return most
    }

    @Test("A site's rate holds for all of its domains together, and what waits for it is neither deferred nor lost")
    func rate() async throws {
        let (host, domains) = Self.sharing(3)
        var options = LabRelayOptions()
        // One a second.
        options.settings = ["delivery.sites": "[{mx: '*.shared.test', rate: 60}]"]
        try await LabRelay.with([host, .dane("bravo.test")], options) { lab in
            let started = ContinuousClock.now
            var ids: [MessageID] = []
            for domain in domains + domains { ids.append(try await lab.submit(to: "bob@\(domain)")) }
            // Another site does not wait.
            let other = try await lab.firstOutcome(of: lab.submit(to: "bob@bravo.test"))
            #expect(other.kind == .send)
            for id in ids {
                let trace = try await lab.wait(for: id, within: .seconds(60)) { $0.contains { $0.kind == .send } }
                #expect(trace.map(\.kind) == [.receive, .send])
            }
            #expect(ContinuousClock.now - started >= .seconds(5))
        }
    }

    // MARK: Our own side

    @Test("Connections come from the configured address, under its name; only families that may be used are")
    func sourceAddress() async throws {
        var options = LabRelayOptions()
        options.settings = [
            "delivery.source-addresses": "[{address: 127.99.1.2, hostname: out.relay.test}]",
            "delivery.address-preference": "ipv4-only",
        ]
        options.zones = [
            LabZone("six.test", [.mx("mx.six.test"), .aaaa("mx.six.test", "2001:db8::25")])
        ]
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            let sent = try await lab.firstOutcome(of: lab.submit(to: "bob@bravo.test"))
            #expect(sent.kind == .send)
            let mail = try #require(lab.peer("bravo.test").server.received.first)
            #expect(mail.helloName == "out.relay.test")
            #expect(
                lab.peer("bravo.test").server.events.contains(
                    .opened(connection: mail.connection, from: "127.99.1.2")))

            let held = try await lab.firstOutcome(of: lab.submit(to: "bob@six.test"))
            #expect(held.kind == .defer)
            #expect(held.reason == "no-usable-route")
        }
    }

    @Test("A source address that is not this machine's is refused at the start, by its key")
    func foreignSourceAddress() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "relayd.yaml")
            let yaml = "delivery:\n  source-addresses:\n    - {address: 127.0.0.9}\n    - {address: 192.0.2.1}\n"
            try Data(yaml.utf8).write(to: file)
            let log = folder.appending(path: "output")
            let child = try await ChildProcess(
                BuiltProgram.named("relayd").path, ["config", "check", "--config", file.path], log: log)
            #expect(await child.ended(within: .seconds(30)))
            #expect(child.terminationStatus == 78)
            let output = String(decoding: try Data(contentsOf: log), as: UTF8.self)
            #expect(output.contains("delivery.source-addresses[1]: 192.0.2.1 is no address of this machine\n"))
            #expect(!output.contains("source-addresses[0]"))
        }
    }
}
