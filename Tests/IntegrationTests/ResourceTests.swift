import Foundation
import LabPeers
import LabRelay
import LabSupport
import Testing

/// What many clients at once cost the node. The full figures are those of `relay-bench idle` and `relay-bench bodies`,
/// with an optimised build; here smaller numbers show that nothing grows with what clients do.
@Suite("Resources of the running node", .timeLimit(.minutes(5)))
struct ResourceTests {
    @Test("hostile-input 15: idle and slow TLS clients cost at most 64 KiB each, delay nobody, and leave no descriptor")
    func idleClients() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.max-connections-per-address": "1000", "smtp.max-connection-rate": "0"]
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            let process = try #require(lab.relayd.processIdentifier)
            try await lab.submit(to: "warm@bravo.test")
            let memory = try ProcessMemory.resident(of: process)
            let descriptors = try ProcessMemory.descriptors(of: process)
            var plan = IdleFleet.Plan(port: lab.smtpPort, idle: 500, slow: 100)
            plan.pause = .milliseconds(500)
            plan.opening = 20
            let fleet = try await IdleFleet.open(plan)
            try await Task.sleep(for: .seconds(2))
            let each = (try ProcessMemory.resident(of: process) - memory) / fleet.count
            #expect(each <= 64 << 10, "\(each) bytes each")
            // An honest client is served as ever; a busy machine is allowed for.
            let elapsed = try await ContinuousClock().measure { _ = try await lab.submit(to: "bob@bravo.test") }
            #expect(elapsed < .seconds(10))
            #expect(fleet.count == 600)
            await fleet.close()
            #expect(try await self.descriptors(of: process, fallTo: descriptors))
        }
    }

    /// Deliveries may keep connections of their own for a while.
    private func descriptors(of process: Int32, fallTo count: Int) async throws -> Bool {
        try await eventually(within: .seconds(30), every: .milliseconds(500)) {
            try ProcessMemory.descriptors(of: process) <= count + 4
        }
    }

    @Test(
        "Twenty large messages at once pass through, in and out, without standing in memory", arguments: [true, false])
    func largeBodies(isEncrypted: Bool) async throws {
        var options = LabRelayOptions()
        options.settings = [
            "database.acquire-timeout": "30s", "database.statement-timeout": "30s", "queue.lease-ttl": "60s",
        ]
        var domain = LabDomain.dane("bravo.test")
        domain.retention = .messageIDs
        try await LabRelay.with([domain], options) { lab in
            let process = try #require(lab.relayd.processIdentifier)
            let sink = lab.peer("bravo.test").server
            try await BodyLoad(count: 20, size: 1000, isEncrypted: isEncrypted)
                .send(to: "warm@bravo.test", port: lab.smtpPort)
            #expect(await sink.wait(within: .seconds(30)) { $0.messageCount == 20 })
            let before = try ProcessMemory.resident(of: process)
            let load = BodyLoad(count: 20, size: 3 << 20, isEncrypted: isEncrypted)
            let (_, peak) = try await ProcessMemory.peak(of: process) {
                try await load.send(to: "large@bravo.test", port: lab.smtpPort)
                #expect(await sink.wait(within: .seconds(120)) { $0.messageCount == 40 })
            }
            // 60 MiB pass; the debug build of a test takes a little more than the 16 MiB that are promised.
            #expect(peak - before < 24 << 20, "grew by \(peak - before) bytes")
        }
    }
}
