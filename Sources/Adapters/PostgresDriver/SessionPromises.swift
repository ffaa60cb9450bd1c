/// What a session said of itself in one transaction.
struct SessionReport: Hashable, Sendable {
    /// The server's process behind the transaction.
    let backend: String
    /// The server, by the time of its start.
    let server: String
    /// Settings in force, by name, as the server writes them.
    let values: [String: String]
}

/// What a connection must hold before it is used: a commit that is on disk, and settings that stay from one transaction to
/// the next.
///
/// Servers and poolers drop settings silently. PgBouncer drops those of the start-up packet when it is told to ignore
/// `options`. It drops those of a session when it hands out server connections by transaction. So they are set after
/// connecting, and the server is asked in a second transaction what is in force.
enum SessionPromises {
    /// Says who serves.
    private static let identity = """
        SELECT pg_catalog.pg_backend_pid()::pg_catalog.text,
        pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())::pg_catalog.int8::pg_catalog.text
        """

    /// Sets the settings, and tells what they came to.
    static func assignment(_ settings: [String: String]) -> String {
        let columns = settings.sorted { $0.key < $1.key }.map {
            ", pg_catalog.set_config(\(Self.literal($0.key)), \(Self.literal($0.value)), false)"
        }
        return "\(Self.identity)\(columns.joined())"
    }

    /// Asks what is in force.
    static func question(_ names: [String]) -> String {
        let columns = names.map { ", pg_catalog.current_setting(\(Self.literal($0)))" }
        return "\(Self.identity)\(columns.joined())"
    }

    /// Notifies a channel. The commit waits for no standby: nothing is to be kept.
    static func notification(_ payload: String, on channel: String) -> String {
        let columns = ["set_config('synchronous_commit', 'off', true)", "pg_notify('\(channel)', '\(payload)')"]
        return "\(Self.identity), \(columns.map { "pg_catalog.\($0)" }.joined(separator: ", "))"
    }

    /// Why a connection must not be used.
    ///
    /// - Parameters:
    ///   - assigned: from the transaction that set the settings.
    ///   - found: from the next one.
    static func objection(assigned: SessionReport, found: SessionReport, requiresFsync: Bool) -> PostgresError? {
        guard assigned.backend == found.backend else { return Self.sharedByTransaction }
        for (name, value) in assigned.values.sorted(by: { $0.key < $1.key }) where found.values[name] != value {
            return PostgresError(
                .unsuitableServer,
                """
                \(name) was set to \(value), and \(found.values[name] ?? "nothing") is in force in the next transaction: \
                what stands between this program and PostgreSQL does not keep the settings of a session; connect to \
                PostgreSQL itself, or through a pooler in session mode
                """)
        }
        guard requiresFsync, found.values["fsync"] == "off" else { return nil }
        return PostgresError(
            .unsuitableServer,
            """
            fsync is off: a crash of the database's machine loses mail that was answered 250; set fsync = on in \
            postgresql.conf, or database.allow-fsync-off: true where mail may be lost
            """)
    }

    /// What is worth telling of a connection that may be used.
    static func warning(_ found: SessionReport) -> String? {
        guard found.values["full_page_writes"] == "off" else { return nil }
        return """
            full_page_writes is off: unless the database's file system writes pages as a whole (as ZFS does), a crash of \
            its machine damages the queue; set full_page_writes = on in postgresql.conf
            """
    }

    /// Two transactions of one session were served by two server connections, or two sessions by one.
    static let sharedByTransaction = PostgresError(
        .unsuitableServer,
        """
        a pooler hands out server connections for each transaction (pool_mode = transaction or statement), so \
        settings such as synchronous_commit do not hold; set pool_mode = session for this database and user, or connect \
        to PostgreSQL itself
        """)

    /// It is not known whether the pooler keeps its server connections for sessions. That may pass.
    static func undecided(_ cause: PostgresError) -> PostgresError {
        PostgresError(
            .cannotConnect,
            """
            whether the pooler keeps a server connection for a session could not be found out by a second connection \
            (\(cause.message)); its pool must have one server connection to spare
            """)
    }

    private static func literal(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
}
