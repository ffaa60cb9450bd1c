import LabDNS
import LabPeers
import LabRelay
import PostgresDriver
import QueueStore
import Testing

/// Hostile-input case 25, with the schedule and the patience of an ordinary node.
@Suite("A resolver that is silent for a while", .timeLimit(.minutes(FaultForm.choose(short: 3, long: 60))))
struct ResolverFaultTests {
    private static let silence = FaultForm.choose(short: Duration.seconds(12), long: .seconds(1800))

    @Test(
        "hostile-input 25: while the resolver is silent nothing goes in clear and nothing bounces, and all is sent within 5 minutes of its return"
    )
    func silence() async throws {
        var options = LabRelayOptions()
        options.settings = FaultForm.choose(short: ["resolver.timeout": "2s"], long: [:])
        // The names of the one are known when the silence begins, those of the other are first asked for in it.
        try await LabRelay.with([.sink("known.test"), .sink("new.test")], options) { lab in
            let known = FaultLoad(lab, to: ["known.test"], connections: 1, pause: .seconds(1))
            let new = FaultLoad(lab, to: ["new.test"], connections: 1, pause: .seconds(1))
            try await known.run {
                #expect(await lab.peer("known.test").server.wait { !$0.arrivals.isEmpty })
                await lab.internet.pauseServer()
                try await new.run { try await Task.sleep(for: Self.silence) }
                #expect(lab.peer("new.test").server.connectionCount == 0)
                let readiness = try await lab.relayd.readiness()
                #expect(readiness.status == 200 && readiness.text.contains("[-]resolver failed"), "\(readiness)")
                await lab.internet.resumeServer()
            }
            let returned = ContinuousClock.now
            #expect(await lab.becomesEmpty(within: .seconds(300)), "not all was sent within 5 minutes")
            print("resolver silent for \(Self.silence): all sent \(ContinuousClock.now - returned) after its return")
            try await known.prove("resolver silent, names known before", runs: 1)
            let verdict = try await new.prove("resolver silent, names new", runs: 1)
            #expect(verdict.acknowledged >= 10, "there was hardly any load")
            #expect(try await lab.count(events: "kind = 'FAIL'") == 0)
            #expect(try await lab.count(events: "kind = 'SEND' AND auth IS DISTINCT FROM 'dane'") == 0)
            // A failure of ours costs no message a step of its schedule.
            #expect(try await lab.count(events: "kind = 'DEFER'") == 0)
        }
    }
}

extension LabRelay {
    /// How many events of all messages' lives are so.
    func count(events condition: String) async throws -> Int {
        let result = try await self.store.pool.query(
            Statement("SELECT count(*) FROM relay.trace WHERE \(condition)"))
        return Int(try result.single().get(0, as: Int64.self))
    }
}
