import ClusterModel
import ControlAPI
import ControlClient
import ControlPlane
import ControlStore
import Foundation
import GRPCCore
import LabDatabase
import LabSupport
import MailModel
import OperatingSystem
import PostgresDriver
import ServiceSupport
import SwiftProtobuf
import Telemetry
import Testing

@Suite("Streams of nodes", .timeLimit(.minutes(2)))
struct WatchTests {
    /// Runs `body` with a replica, an administrator's client and that of a node.
    private func world(
        settings: (inout ControlPlaneSettings) -> Void = { _ in },
        _ body: (TestControl, TestReplica, TestReplica.Client, TestReplica.Client) async throws -> Void
    ) async throws {
        try await TestControl.serving(settings: settings) { control, replica in
            let node = try await control.enrolled(.node, "edge-1.test")
            try await replica.with(control.admin) { admin in
                try await replica.with(node) { client in try await body(control, replica, admin, client) }
            }
        }
    }

    private func names(_ parts: [ControlWatchResponse]) -> [String] { parts.flatMap(\.resources).map(\.name) }

    @Test("A change comes within a second of its commit, and its answer is recorded (control 1, control 9)")
    func follows() async throws {
        try await self.world { control, _, admin, node in
            try await admin.apply("alpha.test")
            try await TestStream.with(node) { stream in
                let first = try await stream.change()
                #expect(self.names(first) == ["alpha.test"])
                #expect(first[0].baseVersion == 0 && first[0].nonce == 1)
                let begin = ContinuousClock.now
                try await admin.apply("bravo.test")
                let second = try await stream.change()
                #expect(ContinuousClock.now - begin < .seconds(1))
                #expect(self.names(second) == ["bravo.test"])
                #expect(second[0].baseVersion == first[0].stateVersion)
                _ = try await ControlDomainService.Client(wrapping: admin).removeDomain(
                    .with { $0.name = "alpha.test" })
                let third = try await stream.change()
                #expect(third[0].removed.map(\.name) == ["alpha.test"])
                #expect(third[0].resources.isEmpty)
                let version = third[0].stateVersion
                #expect(
                    try await eventually {
                        let row = try await control.store.node("edge-1.test")
                        return row?.sent == version && row?.acknowledged == version && row?.served == 0
                    })
            }
        }
    }

    @Test("A refusal is kept with its reason, and the next state is sent on top of what the node has (control 1)")
    func refused() async throws {
        try await self.world { control, _, admin, node in
            try await admin.apply("alpha.test")
            try await TestStream.with(node) { stream in
                let first = try await stream.change()
                try await admin.apply("bravo.test")
                let refused = try await stream.next()
                stream.refuse(
                    refused,
                    .with {
                        $0.type = .domain; $0.name = "bravo.test"
                    }, "no such hop")
                #expect(
                    try await eventually {
                        try await control.store.node("edge-1.test")?.refusal?.reason == "no such hop"
                    })
                let listed = try await ControlFleetService.Client(wrapping: admin).listNodes(.init()).nodes
                #expect(listed.map(\.status) == [.refusing])
                #expect(listed.first?.refusal.resource.name == "bravo.test")
                try await admin.apply("charlie.test")
                let next = try await stream.change()
                #expect(next[0].baseVersion == first[0].stateVersion)
                #expect(self.names(next) == ["bravo.test", "charlie.test"])
                #expect(try await eventually { try await control.store.node("edge-1.test")?.refusal == nil })
            }
        }
    }

    @Test("An answer with a stale nonce, or to a response that never was, acknowledges nothing (control 2)")
    func nonces() async throws {
        try await self.world { control, _, admin, node in
            try await admin.apply("alpha.test")
            try await TestStream.with(node) { stream in
                let first = try await stream.change()
                try await admin.apply("bravo.test")
                let second = try await stream.next()
                stream.acknowledge(first[0])
                stream.send(.init())
                try await Task.sleep(for: .milliseconds(500))
                #expect(try await control.store.node("edge-1.test")?.acknowledged == first[0].stateVersion)
                stream.acknowledge(second)
                #expect(
                    try await eventually {
                        try await control.store.node("edge-1.test")?.acknowledged == second.stateVersion
                    })
                stream.send(.with { $0.nonce = 99 })
                let end = try await status { try await stream.next() }
                #expect(end.code == .invalidArgument)
                #expect(end.message.contains("99"))
            }
        }
    }

    @Test("A node that comes back gets what differs and the names that are gone, also at another replica (control 3)")
    func comesBack() async throws {
        try await self.world { control, replica, admin, node in
            try await admin.apply("alpha.test", "bravo.test", "charlie.test")
            let held = try await TestStream.with(node) { stream in try await stream.change() }
            try await admin.apply("bravo.test", port: 2525)
            _ = try await ControlDomainService.Client(wrapping: admin).removeDomain(.with { $0.name = "charlie.test" })
            let first = ControlWatchRequest.with {
                $0.stateVersion = held[0].stateVersion
                $0.initialResources = held.flatMap(\.resources).map { resource in
                    .with {
                        $0.key = .with {
                            $0.type = .domain; $0.name = resource.name
                        }
                        $0.version = resource.version
                    }
                }
            }
            let pool = control.database.pool(size: 2)
            defer { pool.shutDown() }
            try await control.withReplica(store: ControlStore(pool: pool), named: "replica-2") { other in
                let credential = try await control.enrolled(.node, "edge-2.test")
                try await other.with(credential) { client in
                    try await TestStream.with(client, first: first) { stream in
                        let change = try await stream.change()
                        #expect(self.names(change) == ["bravo.test"])
                        #expect(change.flatMap(\.removed).map(\.name) == ["charlie.test"])
                        #expect(change[0].baseVersion == held[0].stateVersion)
                        #expect(change[0].nonce == 1)
                    }
                }
            }
        }
    }

    @Test("A replica that cannot read the state that a node has sends the node elsewhere (control 4)")
    func laggingReplica() async throws {
        try await self.world { control, replica, admin, node in
            let version = try await admin.apply("alpha.test").stateVersion
            let first = ControlWatchRequest.with { $0.stateVersion = version + 5 }
            let end = try await status {
                try await TestStream.with(node, first: first) { stream in try await stream.next() }
            }
            #expect(end.code == .unavailable)
            #expect(end.message.contains("another replica"))
            #expect(replica.registry.exposition().contains("control_snapshots_total{result=\"behind\"} 1"))
        }
    }

    @Test("A replica that has not read a state yet that a node has reads it before it answers (control 4)")
    func catchesUp() async throws {
        try await self.world { control, replica, admin, node in
            let pool = control.database.pool(size: 2)
            defer { pool.shutDown() }
            try await control.withReplica(store: ControlStore(pool: pool), named: "replica-2") { other in
                for number in 0..<5 {
                    // Committed through one replica, and told at once to the other.
                    let version = try await admin.apply("d\(number).test").stateVersion
                    let first = ControlWatchRequest.with { $0.stateVersion = version }
                    let credential = try await control.enrolled(.node, "edge-\(10 + number).test")
                    try await other.with(credential) { client in
                        try await TestStream.with(client, first: first) { stream in
                            let change = try await stream.change()
                            #expect(change[0].stateVersion >= version)
                        }
                    }
                }
            }
        }
    }

    @Test("A large state comes in parts that each fit into a message, and counts behind the last (control 5)")
    func parts() async throws {
        try await self.world { control, _, admin, node in
            try await admin.apply("alpha.test")
            let domains = ControlDomainService.Client(wrapping: admin)
            let replaced = try await domains.replaceRecipients { writer in
                for part in 0..<30 {
                    try await writer.write(
                        .with {
                            if part == 0 { $0.domain = "alpha.test" }
                            $0.localParts = (0..<1000).map {
                                "some-user-with-a-long-name-\(part)-\($0)-\(String(repeating: "x", count: 60))"
                            }
                        })
                }
            }
            #expect(replaced.domain.recipients == 30_000)
            #expect(replaced.domain.domain.recipientListParts == 3)
            #expect(replaced.domain.domain.recipientVerification == .list)
            try await TestStream.with(node) { stream in
                var parts: [ControlWatchResponse] = []
                repeat { parts.append(try await stream.next()) } while parts.last?.hasMore_p == true
                #expect(parts.count >= 2)
                #expect(parts.map(\.nonce) == (1...UInt64(parts.count)).map { $0 })
                #expect(Set(parts.map(\.stateVersion)).count == 1)
                let lists = parts.flatMap(\.resources).map(\.recipientListPart).filter { !$0.domain.isEmpty }
                #expect(lists.map(\.index) == [0, 1, 2])
                #expect(lists.reduce(0) { $0 + $1.localParts.count } == 30_000)
                let sizes = try parts.map { try $0.serializedData().count }
                #expect(sizes.allSatisfy { $0 < 2 << 20 })
                // Only the last part can be acknowledged.
                stream.acknowledge(parts[0])
                try await Task.sleep(for: .milliseconds(400))
                #expect(try await control.store.node("edge-1.test")?.acknowledged == 0)
                stream.acknowledge(parts[parts.count - 1])
                let version = parts[0].stateVersion
                #expect(try await eventually { try await control.store.node("edge-1.test")?.acknowledged == version })
            }
        }
    }

    @Test("Changes in quick succession come together (control 8)")
    func coalesced() async throws {
        try await self.world { _, _, admin, node in
            try await TestStream.with(node) { stream in
                _ = try await stream.change()
                let version = try await {
                    var last: UInt64 = 0
                    for number in 0..<20 { last = try await admin.apply("d\(number).test").stateVersion }
                    return last
                }()
                var changes = 0
                var reached: UInt64 = 0
                while reached < version {
                    reached = try await stream.change()[0].stateVersion
                    changes += 1
                }
                #expect(changes <= 10)
            }
        }
    }

    @Test("A second stream of a node ends the first, and a stream over the budget is told when to come (control 8)")
    func budgets() async throws {
        try await self.world(settings: { $0.snapshotsPerSecond = 2 }) { _, replica, _, node in
            try await TestStream.with(node) { first in
                try await TestStream.with(node) { second in _ = try await second.change() }
                _ = try? await first.change()
                let end = try await status { try await first.next() }
                #expect(end.code == .aborted)
            }
            var throttled: RPCError?
            for _ in 0..<6 where throttled == nil {
                do {
                    try await TestStream.with(node) { stream in _ = try await stream.change() }
                } catch let error as RPCError {
                    throttled = error
                }
            }
            let error = try #require(throttled)
            #expect(error.code == .resourceExhausted)
            #expect(
                error.metadata[stringValues: "grpc-retry-pushback-ms"].contains { Int($0).map { $0 <= 500 } ?? false })
            #expect(replica.registry.exposition().contains("control_snapshots_total{result=\"throttled\"} 1"))
        }
    }

    @Test("A revocation ends an open stream within a second, also at another replica (control 16)")
    func revocation() async throws {
        try await self.world { control, _, _, node in
            try await TestStream.with(node) { stream in
                _ = try await stream.change()
                let begin = ContinuousClock.now
                // As another replica does it: this one hears of it from the database only.
                _ = try await control.store.revoke(
                    try control.identity(.node, "edge-1.test"),
                    ControlChange(actor: "test", action: "node.revoke", object: "node/edge-1.test"))
                let end = try await status { try await stream.next() }
                #expect(end.code == .permissionDenied)
                #expect(ContinuousClock.now - begin < .seconds(1))
            }
        }
    }

    @Test("A replica that ends tells its nodes to go elsewhere, and ends in time")
    func shutdown() async throws {
        try await self.world { _, replica, _, node in
            try await TestStream.with(node) { stream in
                _ = try await stream.change()
                replica.shutDown()
                let end = try await status { try await stream.next() }
                #expect(end.code == .unavailable)
            }
        }
    }
}
