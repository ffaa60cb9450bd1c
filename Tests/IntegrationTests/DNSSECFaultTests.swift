import Foundation
import LabDNS
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

/// Zones and clocks that DNSSEC comes to grief over, and a whole relay.
@Suite("What DNSSEC comes to grief over", .timeLimit(.minutes(3)))
struct DNSSECFaultTests {
    private static let day = Duration.seconds(86_400)

    private static func options(_ clock: FakeClock? = nil) -> LabRelayOptions {
        var options = LabRelayOptions()
        options.settings = ["retry.schedule": "[500ms]"]
        options.environment = clock?.environment ?? [:]
        return options
    }

    @Test("hostile-input 27: mail for a zone that is dear to validate waits, and mail for another goes out meanwhile")
    func dearZones() async throws {
        let trap = LabDomain("trap.test", .keyTrap(keys: 60, signatures: 60), publishesTLSA: true)
        let deep = LabDomain("deep.test", .hashedDenial(iterations: 2_501), publishesTLSA: false)
        try await LabRelay.with([.dane("bravo.test"), trap, deep], Self.options()) { lab in
            let trapped = try await lab.submit(to: "bob@trap.test")
            let denied = try await lab.submit(to: "bob@deep.test")
            let sent = try await lab.firstOutcome(of: try await lab.submit(to: "bob@bravo.test"))
            #expect(sent.kind == .send)
            #expect(sent.authentication == .dane)
            for id in [trapped, denied] {
                let deferred = try await lab.firstOutcome(of: id)
                #expect(deferred.kind == .defer)
                #expect(deferred.reason == "dnssec-invalid")
                #expect(deferred.status.map { "\($0)" } == "4.7.324")
            }
            #expect(lab.peer("trap.test").server.connectionCount == 0)
            #expect(lab.peer("deep.test").server.connectionCount == 0)
        }
    }

    @Test("hostile-input 26: while our clock is a day ahead mail waits for signatures that ended by it, and then goes")
    func clockAhead() async throws {
        try await withTemporaryFolder { folder in
            let clock = try FakeClock(in: folder)
            let bravo = LabDomain("bravo.test", .signaturesEnd(after: .seconds(43_200)), publishesTLSA: true)
            try await LabRelay.with([bravo], Self.options(clock)) { lab in
                let first = try await lab.submit(to: "first@bravo.test")
                #expect(try await lab.firstOutcome(of: first).authentication == .dane)

                try clock.set(ahead: Self.day)
                let id = try await lab.submit(to: "bob@bravo.test")
                let deferred = try await lab.firstOutcome(of: id)
                #expect(deferred.kind == .defer)
                #expect(deferred.reason == "dnssec-invalid")
                #expect(deferred.status.map { "\($0)" } == "4.7.324")
                #expect(lab.peer("bravo.test").server.messageCount == 1)

                try clock.set(ahead: .zero)
                try await self.expectDelivery(of: id, lab)
            }
        }
    }

    @Test(
        "hostile-input 26: while our clock is a day behind nothing is believed and nothing goes out, ended signatures least"
    )
    func clockBehind() async throws {
        try await withTemporaryFolder { folder in
            let clock = try FakeClock(in: folder, ahead: .zero - Self.day)
            // By our clock these signatures are still good.
            let stale = LabDomain("stale.test", .signaturesEnd(after: .seconds(-43_200)), publishesTLSA: true)
            var options = Self.options(clock)
            options.startsRelayd = false
            try await LabRelay.with([.dane("bravo.test"), stale], options) { lab in
                try await lab.relayd.launch()
                let complaint = await lab.relayd.waitForLogLine(within: .seconds(60)) {
                    $0["msg"] == "resolver does not validate; mail that needs DNS waits"
                }
                #expect(complaint?["reason"]?.contains("bogus") == true, "\(complaint?.text ?? "")")
                let id = try await lab.submit(to: "bob@bravo.test")
                let never = try await lab.submit(to: "bob@stale.test")

                try clock.set(ahead: .zero)
                try await lab.relayd.waitUntilReady(within: .seconds(60))
                try await self.expectDelivery(of: id, lab)
                let deferred = try await lab.wait(for: never, within: .seconds(60)) {
                    $0.contains { $0.kind == .defer }
                }
                #expect(deferred.last?.reason == "dnssec-invalid")
                for domain in ["bravo.test", "stale.test"] {
                    let clear = lab.peer(domain).server.received.filter { $0.tls == nil }
                    #expect(clear.isEmpty, "\(domain)")
                }
                #expect(lab.peer("stale.test").server.connectionCount == 0)
            }
        }
    }

    /// It goes, and has gone over nothing but DANE.
    private func expectDelivery(of id: MessageID, _ lab: LabRelay) async throws {
        let trace = try await lab.wait(for: id, within: .seconds(60)) { $0.contains { $0.kind == .send } }
        #expect(trace.filter { $0.kind == .send }.map(\.authentication) == [.dane])
        #expect(!trace.contains { $0.kind == .fail })
    }
}
