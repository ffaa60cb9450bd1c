import ClusterModel
import DatabaseHealth
import Logging
import MailModel
import PostgresDriver
import QueueStore
import RelayConfiguration
import ServiceLifecycle
import ServiceSupport
import ShardLeases
import Telemetry

/// Waits for the database, so that a node may be started before it. `/readyz` says what it waits for, and the log does
/// whenever that changes.
struct DatabaseWait: Sendable {
    /// Between two tries.
    private static let interval = Duration.seconds(1)

    let loaded: LoadedConfiguration
    let pool: PostgresPool
    let leasePool: PostgresPool
    let health: HealthRegistry
    let time: any NodeClock
    let logger: Logger

    /// The queue and the time, or `nil` when the node is shut down before. Throws a `ConfigurationError` where waiting is of no
    /// use.
    func run() async throws -> (QueueStore, DatabaseClock)? {
        self.health.set(.listener, .failing("waits for the database"))
        // Whoever waits for a connection hears of the shutdown at once.
        return try await withGracefulShutdownHandler {
            var told: StoreFault.Kind?
            while !Task.isShuttingDownGracefully {
                do {
                    let opened = try await self.open()
                    guard !Task.isShuttingDownGracefully else { return nil }
                    if told != nil { self.logger.notice("the database answers") }
                    try self.checkShards(of: opened.0)
                    return opened
                } catch let error as QueueStoreError {
                    if Task.isShuttingDownGracefully { return nil }
                    try await self.tell(error, &told)
                }
                // A shutdown ends it early.
                try? await cancelWhenGracefulShutdown { try await self.time.sleep(for: Self.interval) }
            }
            return nil
        } onGracefulShutdown: {
            self.pool.shutDown()
            self.leasePool.shutDown()
        }
    }

    /// Tells what is waited for, when that has changed. Throws where waiting is of no use.
    private func tell(_ error: QueueStoreError, _ told: inout StoreFault.Kind?) async throws {
        let fault = try await self.fault(of: error)
        self.health.set(.database, .failing("\(fault)"))
        if fault.kind != told {
            self.logger.error("waiting for the database", metadata: [LogKey.reason: "\(fault)"])
        }
        told = fault.kind
    }

    private func open() async throws(QueueStoreError) -> (QueueStore, DatabaseClock) {
        let configuration = self.loaded.configuration
        let store = try await QueueStore(
            pool: self.pool, leasePool: self.leasePool, node: configuration.node.name.text,
            terms: configuration.leaseTerms)
        return (store, try await DatabaseClock(store: store, time: self.time))
    }

    private func checkShards(of store: QueueStore) throws(ConfigurationError) {
        guard store.shardMap.count != self.loaded.configuration.queue.shards else { return }
        throw ConfigurationError(problems: [
            self.loaded.problem(
                with: "queue.shards",
                "the database has \(store.shardMap.count) shards, for good: set this to \(store.shardMap.count)")
        ])
    }

    /// What there is to wait for. Throws where there is nothing.
    private func fault(of error: QueueStoreError) async throws -> StoreFault {
        if [.outdatedSchema, .newerSchema].contains(error.code) || error.cause?.code == .unsuitableServer {
            throw ConfigurationError(problems: [self.loaded.problem(with: "database.connection", error.message)])
        }
        guard let cause = error.cause else { throw error }
        if let hint = StoreHint(cause) {
            let user = await QueueRoles.login(self.pool) ?? "the login of database.connection"
            let words = hint.words(user: user, roles: await QueueRoles.ofSchema(self.pool) ?? .usual)
            throw ConfigurationError(problems: [self.loaded.problem(with: "database.connection", words)])
        }
        guard let fault = StoreFault(error), fault.kind.passesByItself else { throw error }
        return fault
    }
}
