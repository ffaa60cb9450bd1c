import MailModel

/// Every key of the controller's configuration, in the order of `relay-controller config defaults`.
enum ControllerSchema {
    private typealias Key = Setting<ControllerConfiguration>

    static let settings: [Setting<ControllerConfiguration>] =
        control + database + queue + keys + certificates + operation

    private static let second = Duration.seconds(1)
    private static let hour = Duration.seconds(3600)
    private static let day = Duration.seconds(86_400)

    private static let control: [Setting<ControllerConfiguration>] = [
        Key(
            "controller.name", \.controller.name, .domain(),
            "Name of this replica: in its certificate, the log and the table of leaders. Each replica needs one of its own."
        ),
        Key(
            "control.listeners", \.control.listeners, .list(.endpoint(), atLeast: 1),
            "Addresses that take connections of nodes and of relayctl, by TLS with client certificates."),
        Key(
            "control.max-connections", \.control.maxConnections, .integer(1...100_000),
            "Open connections; more are told to come later. Each takes a file descriptor."),
        Key(
            "control.max-snapshots-per-second", \.control.maxSnapshotsPerSecond, .integer(1...10_000),
            "Whole states made for nodes in a second; further nodes are told to come later."),
        Key(
            "control.connection-age", \.control.connectionAge, .duration((second * 10)...day),
            "Age at which a connection is ended gracefully, so that replicas share the nodes; a tenth more or less by chance."
        ),
        Key(
            "control.reflection", \.control.reflection, .flag(),
            "Whether gRPC reflection answers, by which tools such as grpcurl learn the services."),
    ]

    private static let database: [Setting<ControllerConfiguration>] = [
        Key(
            "database.connection", \.database.connection, .string("connection string of libpq"), isSecret: true,
            "Connection string or URI of libpq; several hosts may be given. Its login needs the role relay_control."),
        Key("database.pool-size", \.database.poolSize, .integer(2...1000), "Connections to the database."),
        Key(
            "database.connect-timeout", \.database.connectTimeout, .duration(second...hour),
            "Time to open one connection."),
        Key(
            "database.acquire-timeout", \.database.acquireTimeout, .duration(second...hour),
            "Time to wait for a free connection; then calls are answered UNAVAILABLE."),
        Key(
            "database.statement-timeout", \.database.statementTimeout, .duration(second...hour),
            "Time for one statement."),
    ]

    private static let queue: [Setting<ControllerConfiguration>] = [
        Key(
            "queue.connection", \.queue.connection, .optional(.string("connection string of libpq")), isSecret: true,
            "Connection string or URI of libpq of the queue's database, by which relayctl queue and dns work through the controller. Its login needs the role relay_admin. Without it they need --connection."
        )
    ]

    private static let keys: [Setting<ControllerConfiguration>] = [
        Key(
            "keys.encryption-key", \.keys.encryptionKey, .optional(.encryptionKey()), isSecret: true,
            "The key under which all secrets in the database are encrypted; comes before keys.encryption-key-file. Without it nothing can be read."
        ),
        Key(
            "keys.encryption-key-file", \.keys.encryptionKeyFile, .string("path"),
            "File with that key, for the controller's user only. relay-controller init makes it where there is none."),
        Key(
            "keys.previous-encryption-key-files", \.keys.previousEncryptionKeyFiles, .list(.string("path")),
            "Files with former keys, which open what relay-controller rewrap has yet to encrypt under the current one."),
    ]

    private static let certificates: [Setting<ControllerConfiguration>] = [
        Key(
            "certificates.lifetime", \.certificates.lifetime, .duration((second * 10)...(day * 90)),
            "Life of certificates of nodes and controllers; they are renewed at half of it."),
        Key(
            "certificates.people-lifetime", \.certificates.peopleLifetime, .duration((second * 10)...(day * 825)),
            "Life of certificates of administrators and viewers."),
        Key(
            "certificates.grace", \.certificates.grace, .duration(.zero...(day * 365)),
            "Time after the end of a node's certificate in which the node may come back with its old key; then it needs a new token."
        ),
    ]

    private static let operation: [Setting<ControllerConfiguration>] = [
        Key(
            "telemetry.address", \.telemetry.address, .endpoint(),
            "Where /metrics, /livez, /readyz and /startupz are served, without TLS."),
        Key("telemetry.log-level", \.telemetry.logLevel, .choice(), "Least level of log lines."),
        Key(
            "drain.delay", \.drain.delay, .duration(.zero...hour),
            "Time between /readyz turning 503 and the end of listening."),
        Key("drain.timeout", \.drain.timeout, .duration(second...hour), "Time for open calls to end after that."),
    ]

    /// What must hold between keys.
    static func inconsistencies(
        in configuration: ControllerConfiguration, _ dialect: ConfigurationDialect
    ) -> [(key: String, message: String)] {
        var found: [(key: String, message: String)] = []
        let listeners = configuration.control.listeners.filter { $0.port != 0 }
        if let twice = listeners.first(where: { one in listeners.count { $0 == one } > 1 }) {
            found.append(("control.listeners", "\(twice) is there twice"))
        }
        // The file is not read where the key itself is given.
        let (current, former) = (configuration.keys.encryptionKeyFile, configuration.keys.previousEncryptionKeyFiles)
        if configuration.keys.encryptionKey == nil, former.contains(current) {
            found.append(("keys.previous-encryption-key-files", "\(current) is the file of the current key"))
        }
        if let problem = dialect.connectionFault(configuration.database.connection) {
            found.append(("database.connection", problem))
        }
        if let queue = configuration.queue.connection, let problem = dialect.connectionFault(queue) {
            found.append(("queue.connection", problem))
        }
        return found
    }
}
