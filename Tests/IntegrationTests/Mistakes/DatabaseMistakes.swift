import LabDatabase
import LabSupport
import Logging
import PostgresDriver
import QueueStore

/// Databases in every state in which they should not be, and what is then said.
enum DatabaseMistakes {
    /// Makes the databases, and a pooler by session and one by transaction.
    static func prepare(_ server: PrivatePostgres) async throws -> [PgBouncer] {
        try await server.command("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try await server.command("CREATE ROLE humble LOGIN")
        for name in ["good", "newer", "bare"] { try await server.command("CREATE DATABASE \(name)") }
        for name in ["good", "newer"] {
            try await QueueMigrations.migrate(
                adminConnectionString: server.connectionString(database: name), shardCount: 64, logger: .quiet)
        }
        try await server.command(
            "INSERT INTO relay.schema_version (version, name, least_program) VALUES (9999, 'later', 9999)",
            database: "newer")
        return [
            try await PgBouncer.start(before: server, mode: .transaction),
            try await PgBouncer.start(
                before: server, mode: .statement, settings: ["ignore_startup_parameters=options"]),
        ]
    }

    static func all(_ server: PrivatePostgres, _ poolers: [PgBouncer]) -> [Mistake] {
        func migrate(
            _ database: String, _ words: String..., user: String = PrivatePostgres.superuser
        ) -> [String] {
            ["migrate", "--connection", server.connectionString(database: database, user: user)] + words
        }
        let good = server.connectionString(database: "good")
        return [
            Mistake("migrate without a connection", command: ["migrate"]),
            Mistake(
                "migrate, with a slip in a key word", command: ["migrate"],
                environment: ["RELAYD_MIGRATE_CONNECTION": "hots=db"]
            ),
            Mistake("migrate to a number of shards that is no power of two", command: migrate("good", "--shards", "3")),
            Mistake(
                "migrate an existing queue to another number of shards", command: migrate("good", "--shards", "128")),
            Mistake("migrate a database that does not exist", command: migrate("absent")),
            Mistake("migrate a database of another encoding", command: migrate("latin")),
            Mistake("migrate a schema that a newer version made", command: migrate("newer")),
            Mistake("migrate as a role that may not make roles or schemas", command: migrate("bare", user: "humble")),
            Mistake("start on a schema that a newer version made").running(server.connectionString(database: "newer")),
            Mistake("start with another number of shards", ["queue": "{shards: 128}"]).running(good),
            Mistake("start through a pooler by transaction").running(poolers[0].connectionString(database: "good")),
            Mistake("start through a pooler by statement").running(poolers[1].connectionString(database: "good")),
            Mistake(
                "relayctl on a schema that a newer version made", of: "relayctl",
                command: ["queue", "summary", "--connection", server.connectionString(database: "newer")]),
            Mistake(
                "relayctl through a pooler by transaction", of: "relayctl",
                command: ["queue", "summary", "--connection", poolers[0].connectionString(database: "good")]),
            Mistake(
                "relayctl with a slip in a key word", of: "relayctl",
                command: ["queue", "summary", "--connection", "hots=db.example.org"]),
            Mistake("a database whose crash loses mail is allowed", ["database": "{allow-fsync-off: true}"]),
        ]
    }

    /// Those of which only a start hears.
    static func starts(_ server: PrivatePostgres) -> [Mistake] {
        let good = server.connectionString(database: "good")
        let (bare, denied) = (
            server.connectionString(database: "bare", user: "humble"),
            server.connectionString(database: "good", user: "humble")
        )
        func listener(_ address: String) -> String { "{listeners: [{name: a, address: \"\(address)\"}]}" }
        return [
            Mistake("another server has the port", ["smtp": listener("127.0.0.1:HELD")]).running(good),
            Mistake(
                "the port of health and metrics is taken", ["telemetry": "{address: \"127.0.0.1:HELD\"}"]
            ).running(good),
            Mistake(
                "a port below 1024 without the capability",
                ["smtp": listener("0.0.0.0:25"), "telemetry": "{address: \"0.0.0.0:0\"}"]
            ).running(good).withoutCapability(),
            Mistake("an address of another machine", ["smtp": listener("192.0.2.77:2525")]).running(good),
            Mistake("start on a database without a schema").running(bare),
            Mistake("start as a login without rights").running(denied),
            Mistake(
                "relayctl on a database without a schema", of: "relayctl",
                command: ["queue", "summary", "--connection", bare]),
            Mistake(
                "relayctl as a login without rights", of: "relayctl",
                command: ["queue", "summary", "--connection", denied]),
        ]
    }
}
