import Foundation
import LabDNS
import LabDatabase
import LabPeers
import LabSupport
import MailModel
import OperatingSystem
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
        let parts = LabRelayParts(
            folder: try options.folder ?? .temporary(), pki: try TestPKI(),
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

        let database = try await PrivateDatabase.create("relay", on: postgres, standby: options.standbyFolder)
        try await Self.makeQueue(in: database, shards: options.shards, relayd: executable)
        let pool = Self.pool(of: database)
        started.pool = pool
        let store = try await QueueStore(pool: pool, node: "lab")
        watch.done { .schema($0) }

        let cluster = options.followsController ? try await LabCluster.start(beside: database, in: parts.folder) : nil
        started.cluster = cluster
        if let cluster {
            try await cluster.prepare(try parts.pki.leaf(LabRelay.nodeName))
            watch.done { .controller($0) }
        }
        let nodes = LabNodes(
            options: options, parts: parts, executable: executable,
            connection: database.connectionString(as: QueueLogin.node), internet: internet)
        let relayd = try nodes.first(following: try await cluster?.admit(LabRelay.nodeName))
        started.relayd = relayd
        if options.startsRelayd {
            try await relayd.start()
            watch.done { .relay($0) }
        }
        return LabRelay(
            parts: parts, internet: internet, peers: peers.all, postgres: postgres, store: store,
            nodes: nodes, relayd: relayd, cluster: cluster)
    }

    /// Makes the schema by relayd's own command, as an operator does, and the logins.
    private static func makeQueue(in database: PrivateDatabase, shards: Int, relayd: URL) async throws {
        let connection = database.server.connectionString(database: database.name)
        try await ChildProcess.run(
            relayd.path, ["migrate", "--connection", connection, "--shards", "\(shards)"])
        try await database.makeQueueLogins()
    }

    /// For looking on.
    private static func pool(of database: PrivateDatabase) -> PostgresPool {
        database.pool(QueueStore.poolSettings, size: 2) { settings in
            settings.primaries = PrimaryHistory()
            settings.applicationName = "relay-lab"
        }
    }
}

/// What runs already, should the start of the rest fail.
private struct StartedParts {
    var postgres: PrivatePostgres?
    var peers: LabHosts?
    var internet: SignedInternet?
    var pool: PostgresPool?
    var cluster: LabCluster?
    var relayd: RelaydProcess?

    func stop() async {
        await self.relayd?.stop(patience: .seconds(2))
        await self.cluster?.controller.stop()
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
