import ControlClient
import Foundation
import GRPCTransport
import Logging
import MailModel
import NIOPosix
import NodeState
import OperatingSystem
import RelayConfiguration
import ServiceLifecycle
import ServiceSupport
import Telemetry

/// The part of a node that follows a controller: what the controller says is what the node serves by, from the last state that
/// was kept on.
struct ControlledState: Service {
    /// Between two looks whether a first state has come.
    private static let interval = Duration.milliseconds(50)

    private let client: ControlClient
    private let applied: AppliedState
    private let health: HealthRegistry
    private let time: any NodeClock
    private let logger: Logger

    /// Takes up the last state that was kept.
    init(
        _ loaded: LoadedConfiguration, inForce: StateInForce, health: HealthRegistry, version: String,
        metrics: ControlMetrics, time: any NodeClock, random: RandomSource, logger: Logger
    ) throws(ConfigurationError) {
        let configuration = loaded.configuration
        try Self.prepareDirectory(of: loaded)
        self.applied = AppliedState(checks: configuration.nodeChecks) {
            inForce.state.current
        } apply: {
            try inForce.replace(content: $0)
        }
        self.client = ControlClient(
            configuration.controlSettings(version: version), applied: self.applied, metrics: metrics, time: time,
            random: random, group: MultiThreadedEventLoopGroup.singleton, logger: logger
        ) { health.set(.control, $0.status) }
        self.health = health
        self.time = time
        self.logger = logger
        self.client.begin()
    }

    func run() async throws { try await self.client.run() }

    /// Waits until there is a state to serve by: without one nobody can say whose mail to take. `false` when the node is shut
    /// down before.
    func waitForState() async -> Bool {
        guard !self.applied.isInForce else { return true }
        self.health.set(.listener, .failing("waits for a first state from the controller"))
        self.logger.notice("waiting for a first state from the controller: no mail is taken or sent until then")
        while !self.applied.isInForce {
            if Task.isShuttingDownGracefully || Task.isCancelled { return false }
            try? await cancelWhenGracefulShutdown { try await self.time.sleep(for: Self.interval) }
        }
        return true
    }

    /// A folder of this node alone, which is made where it is missing.
    private static func prepareDirectory(of loaded: LoadedConfiguration) throws(ConfigurationError) {
        let path = loaded.configuration.control.stateDirectory
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try PrivateFile.replace("\(path)/probe", with: [])
            try PrivateFile.remove("\(path)/probe")
        } catch {
            throw ConfigurationError(problems: [
                loaded.problem(
                    with: "control.state-directory",
                    "\(path) must be a folder that this user can write to: \((error as? PrivateFile.Fault)?.description ?? "it cannot be made")"
                )
            ])
        }
    }
}

extension ControlStanding {
    /// Without any state the node takes no mail; else it goes on with what it has (control 6).
    var status: HealthRegistry.Status {
        guard let fault else { return .passing }
        return self.version == nil ? .failing(fault) : .degraded(fault)
    }
}

extension RelaydConfiguration {
    func controlSettings(version: String) -> ControlClientSettings {
        ControlClientSettings(
            addresses: self.control.addresses.map { .host($0.host, port: Int($0.port)) },
            directory: StateDirectory(self.control.stateDirectory), token: self.control.joinToken,
            nodeName: self.node.name, programVersion: version)
    }

    var nodeChecks: NodeChecks {
        // Interfaces that cannot be told leave nothing to compare with.
        let interfaces = (try? LocalAddresses.ofInterfaces()) ?? []
        return NodeChecks(servedNames: Set(self.smtp.listeners.map { self.hostName(of: $0) })) { nextHop in
            self.listener(at: nextHop, interfaces: interfaces).map { "\($0.address)" }
        }
    }
}
