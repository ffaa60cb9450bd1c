import Foundation
import LabDNS
import LabDatabase
import LabPeers
import LabSupport
import Logging
import MailModel
import PostgresDriver
import QueueStore

/// What is decided before anything is started.
struct LabRelayParts {
    let folder: LabFolder
    let pki: TestPKI
    let smtpPort: UInt16
    let deliveryPort: UInt16
}

extension LabRelay {
    /// Starts everything, one part after the other; when one fails, those before it are ended.
    public static func start(
        _ domains: [LabDomain], _ options: LabRelayOptions = LabRelayOptions()
    ) async throws -> LabRelay {
        // Asked for first, so that a missing program is said before anything is started.
        let executable = try options.relayd ?? BuiltProgram.named("relayd")
        let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        let parts = LabRelayParts(
            folder: try options.folder ?? .temporary(), pki: try TestPKI(now: now),
            smtpPort: options.smtpPort ?? Ports.unused(), deliveryPort: options.deliveryPort ?? Ports.unused())
        var started = StartedParts()
        do {
            return try await Self.start(domains, options, parts, executable, &started)
        } catch {
            await started.stop()
            parts.folder.remove()
            throw error
        }
    }

    private static func start(
        _ domains: [LabDomain], _ options: LabRelayOptions, _ parts: LabRelayParts, _ executable: URL,
        _ started: inout StartedParts
    ) async throws -> LabRelay {
        var watch = StepWatch(report: options.progress)
        let postgres = try await PrivatePostgres.start(
            durability: options.durability, in: parts.folder.url, disks: options.disks)
        started.postgres = postgres
        watch.done { .database(version: postgres.version, $0) }

        let peers = try await LabHosts.start(domains, port: parts.deliveryPort, pki: parts.pki)
        started.peers = peers
        watch.done { .peers(count: domains.count, $0) }

        let zones = peers.zones + options.zones
        let internet = try await SignedInternet.start(in: parts.folder.makeFolder("dns"), zones: zones)
        started.internet = internet
        watch.done { .nameServers(zones: zones, $0) }

        let database = try await QueueDatabase.create(
            on: postgres, standby: options.standbyFolder, shards: options.shards, relayd: executable)
        started.pool = database.store.pool
        watch.done { .schema($0) }

        let nodes = LabNodes(
            options: options, parts: parts, executable: executable, connection: database.queueConnection,
            internet: internet)
        let relayd = try nodes.first()
        started.relayd = relayd
        if options.startsRelayd {
            try await relayd.start()
            watch.done { .relay($0) }
        }
        return LabRelay(
            parts: parts, internet: internet, peers: peers.all, postgres: postgres, store: database.store,
            nodes: nodes, relayd: relayd)
    }
}

/// What runs already, should the start of the rest fail.
private struct StartedParts {
    var postgres: PrivatePostgres?
    var peers: LabHosts?
    var internet: SignedInternet?
    var pool: PostgresPool?
    var relayd: RelaydProcess?

    func stop() async {
        await self.relayd?.stop(patience: .seconds(2))
        self.pool?.shutDown()
        await self.peers?.stop()
        await self.internet?.stopServer()
        await self.postgres?.stop()
    }
}

/// Measures the steps of a start.
private struct StepWatch {
    let report: @Sendable (LabRelayStep) -> Void
    private var last = ContinuousClock.now

    init(report: @escaping @Sendable (LabRelayStep) -> Void) { self.report = report }

    mutating func done(_ step: (Duration) -> LabRelayStep) {
        let now = ContinuousClock.now
        self.report(step(now - self.last))
        self.last = now
    }
}
