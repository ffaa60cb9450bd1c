public import ControlStore
import LabSupport
import Logging
public import PostgresDriver

extension PrivateDatabase {
    /// Makes the schema of a cluster, and the login of its controllers.
    public func makeControl(roles: ControlRoles = .usual) async throws {
        try await ControlMigrations.migrate(
            adminConnectionString: self.connectionString(), roles: roles, logger: .quiet)
        if roles == .usual { try await self.makeLogin(ControlDatabase.login, in: ControlRoles.usual.control) }
    }
}

/// A database with the schema of a cluster, and its store with no more rights than a controller has.
public struct ControlDatabase: Sendable {
    /// A controller's login.
    public static let login = "controller"

    /// The database.
    public let database: PrivateDatabase
    /// The store of one controller.
    public let store: ControlStore
    /// Who looks and meddles.
    public let superuser: PostgresPool

    /// Runs `body` with a new one, which has no cluster yet, and removes it whatever happens.
    ///
    /// - Parameters:
    ///   - server: where it is; the one server of all tests unless given.
    ///   - size: the connections of the store.
    public static func with<Value>(
        on server: PrivatePostgres? = nil, size: Int = 4, _ body: (ControlDatabase) async throws -> Value
    ) async throws -> Value {
        try await PrivateDatabase.with("control", on: server) { database in
            try await database.makeControl()
            let control = ControlDatabase(
                database: database, store: ControlStore(pool: Self.pool(database, size: size)),
                superuser: database.pool(size: 2))
            defer {
                control.store.pool.shutDown()
                control.superuser.shutDown()
            }
            return try await body(control)
        }
    }

    /// Connections of another controller. The caller shuts them down.
    public func pool(size: Int = 1) -> PostgresPool { Self.pool(self.database, size: size) }

    private static func pool(_ database: PrivateDatabase, size: Int) -> PostgresPool {
        database.pool(ControlStore.poolSettings, as: Self.login, size: size)
    }
}
