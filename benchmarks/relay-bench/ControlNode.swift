import ClusterModel
import ControlClient
import DeliveryQueue
import Foundation
import GRPCTransport
import LabSupport
import Logging
import MailModel
import NIOPosix
import NodeState
import OperatingSystem
import ServiceSupport
import Synchronization
import Telemetry

/// A node that follows the controller by relayd's client, and serves no mail.
final class ControlNode: Sendable {
    /// What was seen of it last, and since when it is so.
    struct Sighting: Sendable {
        var isFollowing = false
        var version: UInt64?
        var followingSince, versionSince: ContinuousClock.Instant?
    }

    private let client: ControlClient
    private let box: SightingBox

    /// - Parameter state: what the node is said to serve by: checks look at its certificates, of which there are none.
    init(
        _ name: DomainName, addresses: [TransportAddress], token: JoinToken, folder: URL, state: NodeState
    ) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let box = SightingBox()
        self.box = box
        self.client = ControlClient(
            ControlClientSettings(
                addresses: addresses, directory: StateDirectory(folder.path), token: token, nodeName: name,
                programVersion: "bench"),
            applied: AppliedState(checks: NodeChecks(servedNames: [name]), current: { state }, apply: { _ in }),
            metrics: ControlMetrics(in: MetricsRegistry(namespace: "relayd")), time: .system, random: .system,
            group: MultiThreadedEventLoopGroup.singleton, logger: .quiet
        ) { box.observe($0) }
        self.client.begin()
    }

    /// A state without anything.
    static func emptyState() throws -> NodeState {
        try NodeState(
            NodeStateContent(), LocalState(sites: SiteLimits(SiteLimit(connections: 1, messagesPerMinute: 0))))
    }

    var sighting: Sighting { self.box.current }

    func run() async throws { try await self.client.run() }
}

private final class SightingBox: Sendable {
    private let value = Mutex(ControlNode.Sighting())

    var current: ControlNode.Sighting { self.value.withLock { $0 } }

    func observe(_ standing: ControlStanding) {
        let now = ContinuousClock.now
        self.value.withLock { seen in
            if standing.isConnected != seen.isFollowing { seen.followingSince = standing.isConnected ? now : nil }
            if standing.version != seen.version { seen.versionSince = now }
            seen.isFollowing = standing.isConnected
            seen.version = standing.version
        }
    }
}
