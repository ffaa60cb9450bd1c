import ControlAPI
import Foundation
import LabRelay
import LabSupport
import Testing

@Suite("Replicas of a controller", .timeLimit(.minutes(3)))
struct ControllerLeaderTests {
    @Test("Two replicas serve, one leads; when that is killed the other leads within its lease, and serves meanwhile")
    func leaderKilled() async throws {
        try await LabController.with { cluster in
            let replicas = [try cluster.replica("controller-1"), try cluster.replica("controller-2")]
            for replica in replicas { try await replica.process.start() }
            let leader = try #require(
                try await eventualValue(within: .seconds(15)) {
                    let name = try await replicas[0].status(by: cluster.credential).leader
                    return name.isEmpty ? nil : name
                })
            #expect(try await replicas[1].status(by: cluster.credential).leader == leader)
            let (first, other) = (
                try #require(replicas.first { $0.name == leader }), try #require(replicas.first { $0.name != leader })
            )
            #expect(try await first.process.metric("relay_controller_leader") == 1)
            #expect(try await other.process.metric("relay_controller_leader") == 0)
            await first.process.kill()
            #expect(try await other.status(by: cluster.credential).replica == other.name)
            let leads = try await eventually(within: .seconds(20)) {
                try await other.process.metric("relay_controller_leader") == 1
            }
            #expect(leads)
            #expect(try await other.status(by: cluster.credential).leader == other.name)
            // The first comes back, and follows.
            try await first.process.start()
            #expect(try await first.status(by: cluster.credential).leader == other.name)
        }
    }
}
