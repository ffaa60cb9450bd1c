public import Foundation
import LabSupport
import Logging
public import PostgresDriver

/// A database on a `PrivatePostgres`.
public struct PrivateDatabase: Sendable {
    /// The server.
    public let server: PrivatePostgres
    /// Its name there.
    public let name: String
    /// The folder of another server, for use when the first one takes no writes.
    private let standby: URL?

    /// Runs `body` with a new database, and removes it whatever happens.
    ///
    /// - Parameters:
    ///   - purpose: what its name begins with.
    ///   - server: where it is; the one server of all tests unless given.
    ///   - options: of CREATE DATABASE.
    public static func with<Value>(
        _ purpose: String, on server: PrivatePostgres? = nil, options: String = "",
        _ body: (PrivateDatabase) async throws -> Value
    ) async throws -> Value {
        let home: PrivatePostgres
        if let server { home = server } else { home = try await .shared() }
        let name = "\(purpose)_\(UInt64.random(in: .min ... .max))"
        let database = try await Self.create(name, on: home, options: options)
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(database))
        } catch {
            result = .failure(error)
        }
        try await home.command("DROP DATABASE \(name) WITH (FORCE)")
        return try result.get()
    }

    /// Makes a database that stays as long as its server.
    public static func create(
        _ name: String, on server: PrivatePostgres, standby: URL? = nil, options: String = ""
    ) async throws -> PrivateDatabase {
        try await server.command("CREATE DATABASE \(name) \(options)")
        return PrivateDatabase(server, name, standby: standby)
    }

    /// The database that each server has from the start.
    public static func first(of server: PrivatePostgres) -> PrivateDatabase { PrivateDatabase(server, "postgres") }

    private init(_ server: PrivatePostgres, _ name: String, standby: URL? = nil) {
        self.server = server
        self.name = name
        self.standby = standby
    }

    /// The libpq connection string, as this login.
    public func connectionString(as login: String = PrivatePostgres.superuser) -> String {
        self.server.connectionString(database: self.name, user: login, orElse: self.standby)
    }

    /// Connections to it, as this login.
    ///
    /// - Parameter settings: makes the settings from a connection string, as `QueueStore.poolSettings` does.
    public func pool(
        _ settings: (String) -> PoolSettings = PoolSettings.init(connectionString:),
        as login: String = PrivatePostgres.superuser, size: Int = 1,
        change: (inout PoolSettings) -> Void = { _ in }
    ) -> PostgresPool {
        var settings = settings(self.connectionString(as: login))
        settings.size = size
        change(&settings)
        return PostgresPool(settings, logger: .quiet)
    }

    /// Makes a login in a group, unless there is one of this name.
    ///
    /// Logins belong to the whole server, and another test may be making it at this moment.
    public func makeLogin(_ name: String, in group: String? = nil) async throws {
        let membership = group.map { " IN ROLE \($0)" } ?? ""
        try await self.server.command(
            """
            DO $$ BEGIN
                CREATE ROLE \(name) LOGIN\(membership);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END $$
            """, database: self.name)
    }
}
