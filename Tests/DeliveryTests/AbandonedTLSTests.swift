import LabPeers
import LabSupport
import Logging
import MailModel
import OperatingSystem
import QueueStore
import ServiceSupport
import TLSEngine
import Telemetry
import TestLiterals
import Testing
import TransportSecurity

@testable import Delivery

/// Mail that goes in clear to a host that offers TLS says why: in the trace, in the log and in a metric.
@Suite("TLS that was given up", .timeLimit(.minutes(3)))
struct AbandonedTLSTests {
    /// Delivers one message to a host that offers TLS and behaves so; what is on record of it, and what was counted.
    private func deliver(
        _ rules: [ScriptedRule], messages: Int = 1,
        _ check: (ScriptedPeer, [TraceEvent], (TLSAbandonReason) -> UInt64) throws -> Void
    ) async throws {
        let leaf = try TestPKI().leaf("mx.bravo.test")
        let peer = try await ScriptedPeer.start(
            rules, certificates: ServerCertificateStore([leaf.serverCertificate()]))
        try await DeliveryFixture.run([("bravo.test", peer)], { $0.connectionsPerDestination = 1 }) { queue in
            var ids: [MessageID] = []
            for _ in 0..<messages { ids.append(try await queue.enqueue(to: "bravo.test")) }
            await (try queue.destination("bravo.test")).run()
            var events: [TraceEvent] = []
            for id in ids { events += try await queue.store.trace(of: id).filter { $0.kind != .receive } }
            let metrics = queue.metrics
            try check(peer, events) { metrics.smtpTLSAbandoned[$0].value }
        }
        await peer.stop()
    }

    @Test(
        "TLS that ends right behind the handshake is given up, and each message says so; the connection counts once (field C5, C6)"
    )
    func endsBehindHandshake() async throws {
        try await self.deliver([.on(.secureHello, .close)], messages: 2) { peer, events, counted in
            #expect(peer.connectionCount == 2)
            #expect(peer.received.count == 2 && peer.received.allSatisfy { $0.tls == nil })
            #expect(events.count == 2)
            for event in events {
                #expect(event.kind == .transfer && event.authentication == AuthenticationLabel.none)
                #expect(event.tlsFailure?.hasPrefix("ended: ") == true)
            }
            #expect(counted(.ended) == 1)
        }
    }

    @Test("A STARTTLS that is offered and then refused is told with the host's reply (field C6)")
    func refused() async throws {
        try await self.deliver([.on(.startTLS, .reply("454 4.7.0 TLS not available"))]) { peer, events, counted in
            #expect(peer.connectionCount == 1 && peer.received.count == 1)
            #expect(events.map(\.tlsFailure) == ["refused: 454 4.7.0 TLS not available"])
            #expect(counted(.refused) == 1)
        }
    }

    @Test("A host that fails in clear as well is told with both reasons (field C6)")
    func failsInClear() async throws {
        let rules: [ScriptedRule] = [
            .on(.startTLS, .bytes("220 go\r\n250 injected\r\n")),
            .on(.greeting, connection: 2, .reply("421 4.3.2 busy"), .close),
        ]
        try await self.deliver(rules) { _, events, counted in
            let event = try #require(events.first)
            #expect(event.kind == .defer && event.reply?.contains("421 4.3.2 busy") == true)
            #expect(event.tlsFailure?.hasPrefix("malformed: ") == true)
            #expect(counted(.malformed) == 1)
        }
    }

    @Test("A delivery over TLS, and one to a host that offers none, say nothing of the kind (field C6)")
    func nothingGivenUp() async throws {
        for rules in [[], [ScriptedRule.withoutSTARTTLS]] {
            try await self.deliver(rules) { _, events, counted in
                #expect(events.count == 1 && events.allSatisfy { $0.kind == .transfer && $0.tlsFailure == nil })
                #expect(TLSAbandonReason.allCases.allSatisfy { counted($0) == 0 })
            }
        }
    }

    @Test("TLS that was agreed upon without SNI says so, and cleartext after it gives the later reason (field C5, C6)")
    func withoutServerName() {
        let rejection = AbandonedTLS(TLSFailure(.nameRejected, "tlsv1 unrecognized name"))
        var attempt = HostAttempt(address: .v4(0xC000_0201))
        attempt.established = Established(label: .tls)
        #expect(attempt.tlsFailure == nil)
        attempt.established?.rejectedName = rejection
        #expect(attempt.tlsFailure == "without SNI, after alert: tlsv1 unrecognized name")
        attempt.established?.abandonedTLS = AbandonedTLS(TLSFailure(.truncated, "it closed"))
        #expect(attempt.tlsFailure == "ended: it closed")
    }

    @Test("The log line has the reason under its key (field C6)")
    func logLine() {
        let entry = QueueEntry.of()
        var attempt = HostAttempt(failure: HostFailure(.connectionLost, "connection lost at greeting"))
        attempt.failure?.abandonedTLS = AbandonedTLS(TLSFailure(.refusedByPeer, "alert\u{1B} certificate required"))
        let report = AttemptReport(tries: [attempt], recipients: 1)
        let trace = AttemptTrace(
            entry: entry, report: report, decision: entry.decision(report), node: "relay.test", isTransfer: false)
        let told = trace.lines.first?.logMetadata(of: entry)[LogKey.tlsFailure].map { "\($0)" }
        #expect(told?.hasPrefix("alert: alert") == true)
        #expect(told?.hasSuffix(" certificate required") == true && told?.contains("\u{1B}") == false)
    }
}
