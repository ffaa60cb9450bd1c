package import PostgresDriver
package import QueueStore

/// What an operator has to do about an error that no waiting mends.
package enum StoreHint: Hashable {
    /// The login may not do what a node does.
    case missingRights(String)
    /// The schema is not there.
    case missingSchema(String)

    /// The hint for an error; `nil` for one that says nothing of rights or schema.
    package init?(_ error: PostgresError) {
        switch error.sqlState {
        // insufficient_privilege
        case "42501": self = .missingRights(String(error.messageWithoutStatement))
        // undefined_table, invalid_schema_name, undefined_function
        case "42P01", "3F000", "42883": self = .missingSchema(String(error.messageWithoutStatement))
        default: return nil
        }
    }

    /// The database's words, and the command that helps.
    ///
    /// - Parameter roles: as the schema has them; as they are usually called where there is no schema.
    package func words(user: String, roles: QueueRoles) -> String {
        switch self {
        case .missingRights(let message):
            """
            \(message): the login of this node lacks rights; run `GRANT \(roles.queue) TO \(user)` as a \
            superuser, or as the role that ran `relayd migrate`
            """
        case .missingSchema(let message):
            """
            \(message): the database has no schema of relayd; run `relayd migrate`, then \
            `GRANT \(roles.queue) TO \(user)` (after `relayd migrate --roles NAME` the role is NAME_queue)
            """
        }
    }
}
