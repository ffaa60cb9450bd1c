public import PostgresDriver

extension QueueRoles {
    /// The names in a database: those of the roles that may use its schema, which every login may see. `nil` where there are none.
    public static func ofSchema(_ pool: PostgresPool) async -> QueueRoles? {
        let found = try? await pool.query(
            Statement(
                """
                SELECT pg_get_userbyid(a.grantee)::text FROM pg_namespace n, aclexplode(n.nspacl) a
                WHERE n.nspname = 'relay' AND a.privilege_type = 'USAGE'
                """))
        let names = found?.rows.compactMap { try? $0.get(0, as: String.self) } ?? []
        return names.lazy.compactMap { QueueRoles(queue: $0) }.first
    }

    /// Who is logged in, as statements write it; `nil` where the database does not say.
    public static func login(_ pool: PostgresPool) async -> String? {
        try? await pool.query(Statement("SELECT quote_ident(current_user)")).single().get(0, as: String.self)
    }
}

/// Who tries to migrate what, as statements write it.
struct MigrationLogin: Hashable, Sendable {
    let user: String
    let database: String
    /// Who owns the schema, where there is one.
    let owner: String?

    /// `nil` where the database does not say.
    static func read(_ pool: PostgresPool) async -> MigrationLogin? {
        let row = try? await pool.query(
            Statement(
                """
                SELECT quote_ident(current_user), quote_ident(current_database()),
                    (SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace WHERE nspname = 'relay')
                """)
        ).single()
        guard let row, let user = try? row.get(0, as: String.self), let database = try? row.get(1, as: String.self)
        else { return nil }
        return MigrationLogin(user: user, database: database, owner: try? row.get(2, as: String?.self))
    }

    /// What helps.
    var help: String {
        if let owner, owner != self.user {
            return "the schema belongs to \(owner), and \(self.user) may not change it; run relayd migrate as \(owner)"
        }
        return """
            \(self.user) may not make roles or schemas; run relayd migrate as a superuser, or first \
            `ALTER ROLE \(self.user) CREATEROLE` and `GRANT CREATE ON DATABASE \(self.database) TO \(self.user)`
            """
    }
}
