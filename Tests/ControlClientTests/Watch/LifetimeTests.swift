import ClusterModel
import ControlAPI
import ControlClient
import Foundation
import GRPCTransport
import LabSupport
import Telemetry
import Testing

@Suite("What a node has for a time only, and what it does not know", .timeLimit(.minutes(1)))
struct LifetimeTests {
    private let cluster: TestCluster
    private let controller: ScriptedController

    init() throws {
        self.cluster = try TestCluster()
        self.controller = ScriptedController(self.cluster)
    }

    /// Runs `body` while a node follows the controller.
    private func following(_ body: (TestNode) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            try await TestReplica.with(self.cluster, services: self.controller.services) { replica in
                let node = try TestNode(folder, [replica.address], token: self.cluster.token)
                try await node.run { try await body(node) }
            }
        }
    }

    @Test("What must end with the controller ends while that is away, and no report tells it afterwards (control 7)")
    func endsWhileAway() async throws {
        let temporary = Resources.domain("temporary.test")
        self.controller.publish(
            [Resources.domain("lasting.test"), temporary], lasting: [Resources.lifetime(temporary, seconds: 2)])
        try await self.following { node in
            try await waitUntil { node.domains == ["lasting.test", "temporary.test"] }
            self.controller.set { $0.isAway = true }
            try await waitUntil { !node.standing.isConnected }
            try await waitUntil { node.domains == ["lasting.test"] }
            #expect(!node.standing.isConnected)
            self.controller.set {
                $0.isAway = false
                $0.reports = []
            }
            try await waitUntil { !self.controller.seen.reports.isEmpty }
            #expect(self.controller.seen.reports.first?.resources.map(\.key.name) == ["lasting.test"])
            #expect(self.controller.seen.firsts.last?.initialResources.map(\.key.name) == ["lasting.test"])
        }
    }

    @Test("A last certificate whose time is over stays; it ends no stream, and the next takes its place (control 6, 7)")
    func refusedDrop() async throws {
        let last = try Resources.certificate("last", for: "mx1.example.test")
        let next = try Resources.certificate("next", for: "mx1.example.test", slot: 1, version: 2)
        self.controller.publish([last], lasting: [Resources.lifetime(last, seconds: 1)])
        try await self.following { node in
            let refused = #"relayd_control_updates_total{resource="certificate",result="refused"} 1"#
            try await waitUntil { node.registry.exposition().contains(refused) }
            #expect(node.certificates == ["certificate/last"])
            #expect(self.controller.seen.reports.last?.resources.map(\.key.name) == ["last"])
            self.controller.publish([next])
            try await waitUntil { node.certificates == ["certificate/next"] }
            #expect(self.controller.seen.followers.count == 1)
        }
    }

    @Test("A resource of a type that only later programs know is refused by name, and the stream goes on (control 1)")
    func laterType() async throws {
        self.controller.publish([Resources.domain("good.test")])
        try await self.following { node in
            try await waitUntil { node.domains == ["good.test"] }
            self.controller.publish([
                Resources.domain("next.test", version: 2), try Resources.fromLaterProgram("later", version: 2),
            ])
            try await waitUntil { self.controller.seen.answers.contains { $0.hasErrorDetail } }
            let detail = try #require(self.controller.seen.answers.last).errorDetail
            #expect(detail.stateVersion == 2)
            #expect(detail.reason == "later is of a type that this program does not know: update relayd")
            #expect(node.domains == ["good.test"])
            try await waitUntil { node.standing.fault?.contains("refuses state 2") == true }
            self.controller.publish([Resources.domain("next.test", version: 3)])
            try await waitUntil { node.domains == ["next.test"] && node.standing.fault == nil }
            #expect(self.controller.seen.followers.count == 1)
        }
    }
}
