import PostgresDriver

extension Migration {
    /// The cluster as it was first made.
    static let control = Migration(
        version: 1, name: "control",
        sql: ClusterSchema.tables + IdentitySchema.tables + StateSchema.tables + ClusterSchema.functions
            + IdentitySchema.functions + StateSchema.functions + ControlComments.sql)
}
