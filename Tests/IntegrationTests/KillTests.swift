import Foundation
import Lab
import PostgresDriver
import QueueStore
import TLSEngine
import Testing

/// Hostile-input case 29: accepted means committed, whenever the node dies.
@Suite("A node killed at any instant", .timeLimit(.minutes(3)))
struct KillTests {
    private static let kills = 10

    @Test("kill -9 at ten random instants under load: nothing acknowledged is lost, and every second copy is explained")
    func kills() async throws {
        let seed = UInt64.random(in: .min ... .max)
        print("kill -9 with seed \(seed)")
        var options = LabRelayOptions()
        options.settings = [
            "queue.lease-ttl": "5s", "queue.lease-renewal": "1s", "retry.schedule": "[100ms, 1s]",
            "database.statement-timeout": "4s", "database.acquire-timeout": "4s",
        ]
        var domain = LabDomain.dane("bravo.test")
        domain.retention = .messageIDs
        try await LabRelay.with([domain], options) { lab in
            let acknowledged = try await self.load(lab) { try await self.killAgainAndAgain(lab, seed: seed) }
            #expect(acknowledged.count > 100, "there was hardly any load")
            #expect(try await self.becomesEmpty(lab), "seed \(seed): mail is left")

            let arrived = lab.peer("bravo.test").server.messageIDs
            let lost = acknowledged.filter { arrived[$0] == nil }
            #expect(lost.isEmpty, "seed \(seed): \(lost.count) of \(acknowledged.count) are lost: \(lost.prefix(5))")
            let copies = arrived.values.reduce(0) { $0 + $1 - 1 }
            let interrupted = try await self.interruptedAttempts(lab)
            #expect(copies <= interrupted, "seed \(seed): \(copies) second copies, \(interrupted) attempts cut off")
            print("\(acknowledged.count) acknowledged, \(interrupted) attempts cut off, \(copies) second copies")
        }
    }

    /// Kills the relay and starts it at once, again and again, at moments between start and full work.
    private func killAgainAndAgain(_ lab: LabRelay, seed: UInt64) async throws {
        var random = SplitMix(state: seed)
        for _ in 0..<Self.kills {
            // A new run takes mail at once, and delivers when the leases of the former have run out.
            try await Task.sleep(for: .milliseconds(Int.random(in: 100...8000, using: &random)))
            await lab.relayd.kill()
            try await lab.relayd.launch()
        }
        try await lab.relayd.waitUntilReady()
    }

    /// Keeps a light load on while `body` runs; gives the ids that were answered 250.
    private func load(_ lab: LabRelay, while body: () async throws -> Void) async throws -> [String] {
        try await withThrowingTaskGroup { group in
            group.addTask {
                var client = LoadClient(port: lab.smtpPort, tls: try TLSClientContext())
                client.connections = 4
                client.messagesPerConnection = 5
                client.messageSize = 2048
                var ids: [String] = []
                // Whoever is cancelled still says what was acknowledged.
                while !Task.isCancelled {
                    ids += await client.run().acknowledged
                    try? await Task.sleep(for: .milliseconds(200))
                }
                return ids
            }
            try await body()
            group.cancelAll()
            return try await group.next() ?? []
        }
    }

    private func becomesEmpty(_ lab: LabRelay) async throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            let summary = try await lab.queueSummary()
            if summary.ready.entries + summary.deferred.entries == 0 { return true }
            try await Task.sleep(for: .milliseconds(100))
        }
        return false
    }

    /// Attempts that were on record as begun when their node died: the only ones whose message may come twice.
    private func interruptedAttempts(_ lab: LabRelay) async throws -> Int {
        let result = try await lab.store.pool.query(
            Statement("SELECT count(*) FROM relay.trace WHERE kind = 'DEFER' AND reply LIKE '%was interrupted%'"))
        return Int(try result.single().get(0, as: Int64.self))
    }
}

/// SplitMix64, so that a run can be repeated from its seed.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
