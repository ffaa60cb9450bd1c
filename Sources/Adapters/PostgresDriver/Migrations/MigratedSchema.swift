/// A schema that migrations make.
public struct MigratedSchema: Sendable {
    /// Its name, which needs no quotes.
    public let name: String
    /// What it holds, as it is told to people: `the queue`.
    public let subject: String
    /// The command that brings it up to date, as people call it.
    public let command: String
    /// The advisory lock that keeps two runs apart.
    public let lock: Int64
    /// All of its migrations, in the order in which they are applied.
    public let migrations: [Migration]
    /// Statements that come before each migration, and do no harm when they are run again.
    public let prologue: String
    /// Statements that come after a migration, in its transaction.
    public let epilogue: String

    /// A schema.
    public init(
        name: String, subject: String, command: String, lock: Int64, migrations: [Migration], prologue: String = "",
        epilogue: String = ""
    ) {
        self.name = name
        self.subject = subject
        self.command = command
        self.lock = lock
        self.migrations = migrations
        self.prologue = prologue
        self.epilogue = epilogue
    }

    /// The version that a program of this version makes.
    public var latestVersion: Int32 { self.migrations.map(\.version).max() ?? 0 }

    /// One transaction: several statements in one simple query are one.
    func script(_ migration: Migration) -> String {
        """
        SELECT pg_advisory_xact_lock(\(self.lock));
        SET LOCAL client_min_messages = warning;
        CREATE SCHEMA IF NOT EXISTS \(self.name);
        CREATE TABLE IF NOT EXISTS \(self.name).schema_version (
            version int4 PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
            least_program int4 NOT NULL DEFAULT 0);
        \(self.prologue)
        DO $migration$ BEGIN
            IF NOT EXISTS (SELECT FROM \(self.name).schema_version WHERE version = \(migration.version)) THEN
                EXECUTE $statements$
        \(migration.sql)
        \(self.epilogue)
                $statements$;
                INSERT INTO \(self.name).schema_version (version, name, least_program)
                    VALUES (\(migration.version), '\(migration.name)', \(migration.leastProgram));
            END IF;
        END $migration$;
        """
    }
}

/// What a database holds of a schema.
public struct SchemaState: Hashable, Sendable {
    /// The database.
    public let database: String
    /// Its encoding.
    public let encoding: String
    /// The migrations that were applied.
    public let versions: Set<Int32>

    /// A state.
    public init(database: String, encoding: String, versions: Set<Int32>) {
        self.database = database
        self.encoding = encoding
        self.versions = versions
    }

    /// The version of the schema; 0 where there is none.
    public var version: Int32 { self.versions.max() ?? 0 }

    /// The migrations that are still to come.
    public func missing(of schema: MigratedSchema) -> [Migration] {
        schema.migrations.filter { !self.versions.contains($0.version) }
    }

    /// Refuses what this program cannot work with: another encoding than UTF8, or a schema that is newer than the program.
    public func check(for schema: MigratedSchema) throws(MigrationError) {
        guard self.encoding == "UTF8" else {
            throw MigrationError.encoding(self.encoding, of: self.database, for: schema.subject)
        }
        guard self.version <= schema.latestVersion else {
            throw MigrationError.newer(self.version, in: self.database, than: schema.latestVersion)
        }
    }
}
