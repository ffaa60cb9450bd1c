import ClusterModel
import ControlClient
import DeliveryQueue
import Foundation
import GRPCTransport
import LabSupport
import MailModel
import NIOPosix
import NodeState
import OperatingSystem
import ServiceSupport
import Synchronization
import Telemetry
import Testing

/// A node on the client of relayd, which remembers every state that it served by.
final class FollowingNode: Sendable {
    private struct Seen {
        var versions: [UInt64] = []
        var problems: Set<String> = []
    }

    private let name: DomainName
    private let directory: StateDirectory
    private let token: JoinToken
    private let applied: AppliedState
    private let seen = Mutex(Seen())

    init(_ name: String, _ folder: URL, _ token: JoinToken) throws {
        let state = try NodeState(
            NodeStateContent(), LocalState(sites: SiteLimits(SiteLimit(connections: 1, messagesPerMinute: 0))))
        self.name = try #require(DomainName(name))
        let own = folder.appending(path: name)
        try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
        self.directory = StateDirectory(own.path)
        self.token = token
        self.applied = AppliedState(
            checks: NodeChecks(servedNames: [self.name]), current: { state }, apply: { _ in })
    }

    /// The states that it served by, in order.
    var versions: [UInt64] { self.seen.withLock(\.versions) }
    /// Why it did not follow, each time.
    var problems: Set<String> { self.seen.withLock(\.problems) }

    /// Follows the controllers at these addresses until `condition` holds.
    ///
    /// - Returns: whether it came to that.
    func follow(_ addresses: [TransportAddress], until condition: () async throws -> Bool) async throws -> Bool {
        let client = ControlClient(
            ControlClientSettings(
                addresses: addresses, directory: self.directory, token: self.token, nodeName: self.name,
                programVersion: "test"),
            applied: self.applied, metrics: ControlMetrics(in: MetricsRegistry(namespace: "relayd")), time: .system,
            random: .system, group: MultiThreadedEventLoopGroup.singleton, logger: .quiet
        ) { self.observe($0) }
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await client.run() }
            defer { tasks.cancelAll() }
            return try await eventually(within: .seconds(40), condition)
        }
    }

    /// Follows until it serves by this state or a later one.
    func follow(_ addresses: [TransportAddress], to version: UInt64) async throws -> Bool {
        try await self.follow(addresses) { self.versions.last.map { $0 >= version } ?? false }
    }

    private func observe(_ standing: ControlStanding) {
        self.seen.withLock { seen in
            if let version = standing.version, version != seen.versions.last { seen.versions.append(version) }
            if let problem = standing.problem { seen.problems.insert(problem) }
        }
    }
}
