/// Who tries to migrate what, as statements write it.
struct MigrationLogin: Hashable, Sendable {
    let user: String
    let database: String
    /// Who owns the schema, where there is one.
    let owner: String?
    /// What the login tries to run.
    let command: String

    /// `nil` where the database does not say.
    static func read(_ schema: MigratedSchema, _ pool: PostgresPool) async -> MigrationLogin? {
        let row = try? await pool.query(
            Statement(
                """
                SELECT quote_ident(current_user), quote_ident(current_database()),
                    (SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace WHERE nspname = $1)
                """, schema.name)
        ).single()
        guard let row, let user = try? row.get(0, as: String.self), let database = try? row.get(1, as: String.self)
        else { return nil }
        return MigrationLogin(
            user: user, database: database, owner: try? row.get(2, as: String?.self), command: schema.command)
    }

    /// What helps.
    var help: String {
        if let owner, owner != self.user {
            return "the schema belongs to \(owner), and \(self.user) may not change it; run \(self.command) as \(owner)"
        }
        return """
            \(self.user) may not make roles or schemas; run \(self.command) as a superuser, or first \
            `ALTER ROLE \(self.user) CREATEROLE` and `GRANT CREATE ON DATABASE \(self.database) TO \(self.user)`
            """
    }
}
