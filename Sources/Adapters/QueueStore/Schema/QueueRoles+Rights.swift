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
