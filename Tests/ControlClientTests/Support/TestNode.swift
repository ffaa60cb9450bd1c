import Admission
import ClusterModel
import ControlAPI
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
import Testing

/// A node as far as it follows a controller.
final class TestNode: Sendable {
    let inForce: StateInForce
    let applied: AppliedState
    let directory: StateDirectory
    let registry = MetricsRegistry(namespace: "relayd")
    private let client: ControlClient
    private let told: StandingBox

    init(_ folder: URL, _ addresses: [TransportAddress], token: JoinToken? = nil) throws {
        let inForce = try StateInForce(
            NodeStateContent(), LocalState(sites: SiteLimits(SiteLimit(connections: 1, messagesPerMinute: 0))))
        self.inForce = inForce
        self.directory = StateDirectory(folder.path)
        let name = try #require(DomainName("mx1.example.test"))
        self.applied = AppliedState(checks: NodeChecks(servedNames: [name])) {
            inForce.state.current
        } apply: {
            try inForce.replace(content: $0)
        }
        let told = StandingBox()
        self.told = told
        self.client = ControlClient(
            ControlClientSettings(
                addresses: addresses, directory: self.directory, token: token, nodeName: name, programVersion: "test"),
            applied: self.applied, metrics: ControlMetrics(in: self.registry), time: .system, random: .system,
            group: MultiThreadedEventLoopGroup.singleton, logger: .quiet
        ) { told.set($0) }
        self.client.begin()
    }

    var standing: ControlStanding { self.told.current }
    var domains: [String] { self.inForce.state.current.policy.domains.keys.map(\.text).sorted() }

    var certificates: [String] { self.inForce.state.current.certificates?.names ?? [] }

    /// Runs `body` while the node follows.
    func run<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await self.client.run() }
            defer { tasks.cancelAll() }
            return try await body()
        }
    }
}

private final class StandingBox: Sendable {
    private let value = Mutex(ControlStanding())

    var current: ControlStanding { self.value.withLock { $0 } }

    func set(_ next: ControlStanding) { self.value.withLock { $0 = next } }
}

/// Waits for something that must come about.
func waitUntil(
    sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    #expect(try await eventually(condition), sourceLocation: sourceLocation)
}
