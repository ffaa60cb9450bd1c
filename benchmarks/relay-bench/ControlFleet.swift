import ClusterModel
import Foundation
import GRPCTransport
import LabSupport
import MailModel

/// All nodes.
struct ControlFleet: Sendable {
    /// How long each node took, in order, and how many did not come about in time.
    struct Times: Sendable {
        var durations: [Duration] = []
        var missing = 0
    }

    private let nodes: [ControlNode]

    init(_ count: Int, addresses: [TransportAddress], token: JoinToken, folder: URL) throws {
        let state = try ControlNode.emptyState()
        self.nodes = try (0..<count).map { number in
            guard let name = DomainName("node-\(number).bench.test") else { throw LabFailure("not a name") }
            return try ControlNode(
                name, addresses: addresses, token: token, folder: folder.appending(path: "\(number)"), state: state)
        }
    }

    /// Runs `body` while all nodes run.
    func run<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for node in self.nodes { tasks.addTask { try await node.run() } }
            defer { tasks.cancelAll() }
            return try await body()
        }
    }

    /// Waits until each node serves by this state or a later one.
    func applied(_ version: UInt64, since start: ContinuousClock.Instant) async -> Times {
        await self.times(since: start) { seen in
            guard let held = seen.version, held >= version else { return nil }
            return seen.versionSince
        }
    }

    /// Waits until each node follows a controller that it did not follow before.
    func following(since start: ContinuousClock.Instant) async -> Times {
        await self.times(since: start) { seen in seen.followingSince.flatMap { $0 > start ? $0 : nil } }
    }

    /// Waits until no node follows.
    func lost() async throws {
        guard await eventually(within: .seconds(30), { self.nodes.allSatisfy { !$0.sighting.isFollowing } }) else {
            throw LabFailure("nodes follow a controller that was killed")
        }
    }

    /// When each node came to where it should, or that it did not within a minute.
    private func times(
        since start: ContinuousClock.Instant, _ reached: (ControlNode.Sighting) -> ContinuousClock.Instant?
    ) async -> Times {
        let limit = max(.zero, start + .seconds(60) - .now)
        _ = await eventually(within: limit) { self.nodes.allSatisfy { reached($0.sighting) != nil } }
        let instants = self.nodes.compactMap { reached($0.sighting) }
        return Times(durations: instants.map { $0 - start }, missing: self.nodes.count - instants.count)
    }
}
