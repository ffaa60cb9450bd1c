/// How a pool connects, and its limits.
public struct PoolSettings: Sendable {
    /// What libpq takes: key words or a URI, with several hosts if wanted. It may hold a password, so it is not logged.
    public var connectionString: String
    /// The number of connections, all opened at once.
    public var size = 4
    /// The most time for one address of one host to answer; in whole seconds, at least 2 (libpq's own least).
    public var connectTimeout: Duration = .seconds(5)
    /// The most time that a caller waits for a free connection.
    public var acquireTimeout: Duration = .seconds(5)
    /// The most time for one pipeline, from its first byte to its last answer.
    public var statementTimeout: Duration = .seconds(10)
    /// The most callers that may wait for a connection.
    public var maximumWaiters = 10_000
    /// Waits between failed attempts to connect: doubled from the first to the last.
    public var reconnectDelay: ClosedRange<Duration> = .milliseconds(50) ... .seconds(2)
    /// Server settings of each session, such as `synchronous_commit`. They are set after connecting, and a connection that
    /// does not keep them is not used.
    public var sessionSettings: [String: String] = [:]
    /// Whether servers with `fsync = off` are refused.
    public var requiresFsync = false
    /// How long a session keeps the plans of its statements; for ever unless given.
    public var planLifetime: Duration?
    /// With it, no connection to a standby is used. Nor is one to a primary older than one that any pool with the same
    /// history has been connected to.
    public var primaries: PrimaryHistory?
    /// Is told of each piece of work how long it waited for its connection, or in vain. It must not block.
    public var waited: (@Sendable (Duration) -> Void)?
    /// Shown in the server's list of sessions.
    public var applicationName = "relay"

    /// Defaults for a database.
    public init(connectionString: String) { self.connectionString = connectionString }

    /// Key words for libpq. Those after `dbname`, which is expanded, override what stands in it.
    var parameters: [(String, String)] {
        [
            ("dbname", self.connectionString),
            ("connect_timeout", String(max(2, self.connectTimeout.components.seconds))),
            ("client_encoding", "UTF8"),
            ("fallback_application_name", self.applicationName),
        ]
    }
}

/// What a pool is doing, for metrics.
public struct PoolStatistics: Hashable, Sendable {
    /// Connections being opened, or waiting to be tried again.
    public var connecting = 0
    /// Connections that are free.
    public var idle = 0
    /// Connections at work.
    public var busy = 0
    /// Callers that wait for a connection now.
    public var waiting = 0
    /// Pipelines and scripts that ended, well or not.
    public var completed = 0
    /// Failures so far.
    public var errors: [PostgresError.Code: Int] = [:]

    /// Nothing yet.
    public init() {}
}
