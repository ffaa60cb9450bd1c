import Lab
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
            #expect(try await lab.relayd.metric("relayd_smtp_connections_awaited") >= 1)
            let lines = lab.relayd.logLines.filter {
                $0["msg"]?.contains("connections to receiving hosts have run out") == true
            }
            #expect(lines.count == 1)
            // Those that gave way for others were not held against their messages.
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
}
