import PostgresDriver

/// The names of the group roles that migrations make and grant. Roles belong to the whole server: two queues on one server whose logins
/// must not reach the other have names of their own.
public struct QueueRoles: Hashable, Sendable {
    /// What the names begin with, unless something else is asked for.
    public static let usualPrefix = "relay"
    /// The most bytes of a prefix.
    public static let maximumLength = RoleNames.maximumPrefixLength

    /// What the names begin with.
    public let prefix: String

    /// Names with another beginning. It is `nil` unless it is a lower-case letter and up to 39 lower-case letters,
    /// digits and underscores, since it stands unquoted in statements. It is also `nil` for one that holds the end of a
    /// role's name.
    public init?(prefix: String) {
        guard RoleNames.isPrefix(prefix, endings: ["_queue", "_admin", "_viewer"]) else { return nil }
        self.prefix = prefix
    }

    /// Those of which the nodes' role has this name.
    init?(queue: String) {
        guard queue.hasSuffix("_queue") else { return nil }
        self.init(prefix: String(queue.dropLast(6)))
    }

    private init(unchecked prefix: String) { self.prefix = prefix }

    /// `relay_queue`, `relay_admin` and `relay_viewer`, as migrations are written.
    public static let usual = QueueRoles(unchecked: Self.usualPrefix)

    /// Edge nodes.
    public var queue: String { "\(self.prefix)_queue" }
    /// Operators who change things.
    public var admin: String { "\(self.prefix)_admin" }
    /// Those who look, and read no content.
    public var viewer: String { "\(self.prefix)_viewer" }

    /// All of them.
    var names: [String] { [self.queue, self.admin, self.viewer] }

    /// A statement with these names in place of the usual ones.
    func renamed(in sql: String) -> String {
        zip(Self.usual.names, self.names).reduce(sql) { $0.replacing($1.0, with: $1.1) }
    }
}
