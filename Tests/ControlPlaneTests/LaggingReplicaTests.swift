import ClusterModel
import ControlAPI
import ControlStore
import Foundation
import GRPCTransport
import LabDatabase
import LabSupport
import PostgresDriver
import Testing

@Suite("A replica that is cut from its database", .timeLimit(.minutes(3)))
struct LaggingReplicaTests {
    /// Two replicas, and the proxy between the second one and the database.
    private struct World {
        let control: TestControl
        let current, lagging: TestReplica
        let proxy: PostgresProxy
        let nodes: [FollowingNode]

        /// Changes the state at the replica that has the database.
        func apply(_ name: String) async throws -> UInt64 {
            try await self.current.with(self.control.admin) { try await $0.apply(name).stateVersion }
        }

        /// All nodes come to a state over these replicas, tried in this order.
        func follow(_ replicas: [TestReplica], to version: UInt64) async throws {
            try await withThrowingTaskGroup(of: Bool.self) { tasks in
                for node in self.nodes {
                    tasks.addTask { try await node.follow(replicas.map(\.address), to: version) }
                }
                for try await arrived in tasks { #expect(arrived, "no node is left behind \(version)") }
            }
        }

        func cut(_ isCut: Bool) {
            self.proxy.refuse(isCut)
            if isCut { self.proxy.cutAll() }
        }
    }

    private func world(_ body: (World) async throws -> Void) async throws {
        try await TestControl.with { control in
            let database = control.database.database
            try await PostgresProxy.with(database.server) { proxy in
                var settings = ControlStore.poolSettings(
                    connectionString:
                        "host=\(proxy.directory.path) port=5432 dbname=\(database.name) user=\(ControlDatabase.login)")
                settings.size = 4
                settings.acquireTimeout = .seconds(1)
                let pool = PostgresPool(settings, logger: .quiet)
                defer { pool.shutDown() }
                let store = ControlStore(pool: pool)
                try await control.withReplica { current in
                    try await control.withReplica(store: store, named: "replica-2") { lagging in
                        try await withTemporaryFolder { folder in
                            let token = try await control.token("edge-*.test", uses: 3)
                            let nodes = try (1...3).map { try FollowingNode("edge-\($0).test", folder, token) }
                            try await body(
                                World(
                                    control: control, current: current, lagging: lagging, proxy: proxy, nodes: nodes))
                        }
                    }
                }
            }
        }
    }

    @Test("Nodes that move between a replica and one that lags go on by themselves, and never back (control 4)")
    func nodesMove() async throws {
        try await self.world { world in
            // Both serve: nodes begin at the one that will lag.
            try await world.follow([world.lagging], to: try await world.apply("alpha.test"))
            world.cut(true)
            try await world.follow([world.current], to: try await world.apply("bravo.test"))
            for number in 0..<3 {
                // The one that lags takes the connection, and has nothing that a node may obey.
                let version = try await world.apply("d\(number).test")
                try await world.follow([world.lagging, world.current], to: version)
            }
            for node in world.nodes { #expect(node.problems.contains { $0.contains("another replica") }) }
            // It has its database again, and everything that it missed.
            let last = try await world.apply("charlie.test")
            world.cut(false)
            try await world.follow([world.lagging], to: last)
            for node in world.nodes { #expect(node.versions == node.versions.sorted(), "\(node.versions)") }
        }
    }
}
