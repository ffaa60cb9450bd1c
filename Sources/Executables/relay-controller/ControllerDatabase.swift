import ControlStore
import Logging
import PostgresDriver
import RelayConfiguration

/// The store of commands that do one thing and end.
enum ControllerDatabase {
    /// What fails is thrown, and told once.
    static let quiet = Logger(label: "relay-controller") { _ in SwiftLogNoOpLogHandler() }

    static func with<Result>(
        _ connection: String, _ loaded: LoadedSettings<ControllerConfiguration>,
        _ body: (ControlStore) async throws -> Result
    ) async throws -> Result {
        var settings = loaded.configuration.database.poolSettings(connection)
        settings.size = 2
        let pool = PostgresPool(settings, logger: Self.quiet)
        defer { pool.shutDown() }
        let store = ControlStore(pool: pool)
        try await store.checkSchema()
        return try await body(store)
    }
}

extension ControllerConfiguration.Database {
    /// A pool of these connections, or of others by the same terms.
    func poolSettings(_ connection: String? = nil) -> PoolSettings {
        var settings = ControlStore.poolSettings(connectionString: connection ?? self.connection)
        settings.size = self.poolSize
        settings.connectTimeout = self.connectTimeout
        settings.acquireTimeout = self.acquireTimeout
        settings.statementTimeout = self.statementTimeout
        settings.primaries = PrimaryHistory()
        return settings
    }
}
