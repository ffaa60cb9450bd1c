import PostgresDriver

extension Migration {
    /// A third partition of `ready`, to which entries are carried over that stay while their partition empties around them.
    ///
    /// Each is moved at most once. So the two others rotate whatever waits, however much that is.
    static let waiting = Migration(
        version: 4, name: "waiting",
        sql: """
            CREATE TABLE relay.ready_2 PARTITION OF relay.ready FOR VALUES IN (2)
                -- As the two others have it.
                WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
                    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);
            """)
}
