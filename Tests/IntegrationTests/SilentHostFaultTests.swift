import LabDNS
import LabPeers
import LabRelay
import Testing

/// Hosts that take connections and say nothing, beside one that works.
@Suite("Silent receivers", .serialized, .timeLimit(.minutes(3)))
struct SilentHostFaultTests {
    /// How long mail for the host that works may take meanwhile, on a busy machine. A greeting is waited for five minutes.
    private static let bound = Duration.seconds(15)

    private func silentHost() async throws -> ScriptedPeer {
        try await ScriptedPeer.start(
            [.on(.greeting, .wait(.seconds(3600)))], address: "0.0.0.0", keeping: .messageIDs)
    }

    /// Domains of silent hosts, each at an address of its own, four to a network, unless they share one.
    private func settings(_ names: [String], _ silent: ScriptedPeer, isOneAddress: Bool = false) -> [String: String] {
        let domains = names.enumerated().map { number, name in
            let host = isOneAddress ? "127.33.0.1" : "127.33.\(number / 4).\(number % 4 + 1)"
            return "{domain: \(name), next-hop: \"\(host):\(silent.port)\"}"
        }
        return ["delivery.max-connections": "40", "accepted-domains": "[\(domains.joined(separator: ", "))]"]
    }

    @Test(
        "A hundred hosts that say nothing hold ten of forty connections, and delay no mail for one never met before (field A4)"
    )
    func manyAddresses() async throws {
        let silent = try await self.silentHost()
        let names = (0..<100).map { "d\($0).silent.test" }
        try await LabRelay.with([.sink("fast.test")], .faults(self.settings(names, silent))) { lab in
            let load = FaultLoad(lab, to: names)
            try await load.send(100)
            #expect(await silent.wait { $0.connectionCount >= 10 })
            let fast = FaultLoad(lab, to: ["fast.test"])
            let longest = try await fast.longestDelivery(at: lab.peer("fast.test").server, for: .seconds(8))
            #expect(longest < Self.bound)
            #expect(try await lab.relayd.metric("relayd_smtp_connections") <= 12)
            #expect(try await lab.relayd.metric("relayd_deliveries_awaiting", label: "limit=\"pool\"") >= 1)
            let lines = lab.relayd.logLines.filter {
                $0["msg"]?.contains("have run out") == true && $0["limit"] == "pool"
            }
            #expect(lines.count == 1 && lines.first?["setting"] == "delivery.max-connections")
            // Connections that were closed for others cost their messages no attempt.
            #expect(try await lab.count(events: "kind IN ('DEFER', 'FAIL')") == 0)
        }
        await silent.stop()
    }

    @Test("Sixty domains at one silent address hold two connections (field A4)")
    func oneAddress() async throws {
        let silent = try await self.silentHost()
        let names = (0..<60).map { "d\($0).silent.test" }
        try await LabRelay.with(
            [.sink("fast.test")], .faults(self.settings(names, silent, isOneAddress: true))
        ) { lab in
            try await FaultLoad(lab, to: names).send(60)
            #expect(await silent.wait { $0.connectionCount >= 2 })
            let fast = FaultLoad(lab, to: ["fast.test"])
            let longest = try await fast.longestDelivery(at: lab.peer("fast.test").server, for: .seconds(3))
            #expect(longest < Self.bound)
            #expect(silent.connectionCount == 2)
        }
        await silent.stop()
    }

    @Test(
        "Hosts that greet and then stall, each in a network of its own, delay no mail for one never met before (field A4)",
        arguments: [ScriptedRule.Step.hello, .mail])
    func stalls(_ step: ScriptedRule.Step) async throws {
        let stalling = try await ScriptedPeer.start(
            [.withoutSTARTTLS, .on(step, .wait(.seconds(3600)))], address: "0.0.0.0", keeping: .messageIDs)
        let names = (0..<100).map { "d\($0).silent.test" }
        let domains = names.enumerated().map { number, name in
            "{domain: \(name), next-hop: \"127.34.\(number).1:\(stalling.port)\"}"
        }
        let settings = ["delivery.max-connections": "40", "accepted-domains": "[\(domains.joined(separator: ", "))]"]
        try await LabRelay.with([.sink("fast.test"), .sink("new.test")], .faults(settings)) { lab in
            try await FaultLoad(lab, to: names).send(100)
            #expect(await stalling.wait { $0.connectionCount >= 10 })
            for name in ["fast.test", "new.test"] {
                let load = FaultLoad(lab, to: [name])
                let longest = try await load.longestDelivery(at: lab.peer(name).server, for: .seconds(5))
                #expect(longest < Self.bound, "\(name)")
            }
        }
        await stalling.stop()
    }

    @Test(
        "After a restart beside a hundred hosts that say nothing mail flows at once, though no host is known any more (field A4)"
    )
    func restart() async throws {
        let silent = try await self.silentHost()
        let names = (0..<100).map { "d\($0).silent.test" }
        try await LabRelay.with([.sink("fast.test")], .faults(self.settings(names, silent))) { lab in
            try await FaultLoad(lab, to: names).send(100)
            let fast = FaultLoad(lab, to: ["fast.test"])
            try await fast.send(1)
            #expect(await lab.peer("fast.test").server.wait { !$0.arrivals.isEmpty })
            try await lab.relayd.restart(afterKill: true)
            let before = lab.peer("fast.test").server.arrivals.count
            let begun = ContinuousClock.now
            try await fast.send(1)
            #expect(await lab.peer("fast.test").server.wait(within: .seconds(60)) { $0.arrivals.count > before })
            #expect(ContinuousClock.now - begun < Self.bound)
        }
        await silent.stop()
    }

    @Test(
        "Domains of silent name servers beside silent hosts delay no mail, and the node stays ready (field A4)"
    )
    func nameServers() async throws {
        let silent = try await self.silentHost()
        let nameServers = try SilentNameServers(300, below: "dead.test")
        let names = (0..<60).map { "d\($0).silent.test" }
        var settings = self.settings(names, silent)
        settings["resolver.stubs"] = nameServers.stubs
        try await LabRelay.with([.sink("fast.test")], .faults(settings)) { lab in
            let dead = FaultLoad(lab, to: names + nameServers.zones.map(\.name))
            try await dead.send(360)
            let fast = FaultLoad(lab, to: ["fast.test"])
            let longest = try await fast.longestDelivery(at: lab.peer("fast.test").server, for: .seconds(10))
            #expect(longest < Self.bound)
            #expect(try await lab.relayd.readiness().status == 200)
        }
        withExtendedLifetime(nameServers) {}
        await silent.stop()
    }
}
