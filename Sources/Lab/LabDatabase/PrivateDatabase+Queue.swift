import LabSupport
import Logging
public import QueueStore

/// The logins of a queue in the lab, each with no more rights than it needs.
public enum QueueLogin {
    /// A node's.
    public static let node = "relayd"
    /// A person's who administers the queue.
    public static let person = "operator"
    /// A controller's, by which people administer it.
    public static let controller = "queue_controller"
}

extension PrivateDatabase {
    /// Makes the queue's schema, and the logins of those who use it.
    public func makeQueue(shards: Int? = nil, roles: QueueRoles = .usual) async throws {
        try await QueueMigrations.migrate(
            adminConnectionString: self.connectionString(), shardCount: shards, roles: roles, logger: .quiet)
        if roles == .usual { try await self.makeQueueLogins() }
    }

    /// Makes the logins alone, where the schema was made by other means.
    public func makeQueueLogins() async throws {
        try await self.makeLogin(QueueLogin.node, in: QueueRoles.usual.queue)
        for login in [QueueLogin.person, QueueLogin.controller] {
            try await self.makeLogin(login, in: QueueRoles.usual.admin)
        }
    }
}
