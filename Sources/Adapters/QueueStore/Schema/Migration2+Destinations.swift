import PostgresDriver

extension Migration {
    /// What a destination's row tells of its failure, so that those who wait for it can be told.
    ///
    /// The defaults are for rows that an older version writes beside this one.
    static let destinations = Migration(
        version: 2, name: "destinations",
        sql: """
            ALTER TABLE relay.destination
                ADD COLUMN failing_since timestamptz NOT NULL DEFAULT now(),
                ADD COLUMN failure_class text NOT NULL DEFAULT 'general',
                ADD COLUMN status text NOT NULL DEFAULT '4.0.0',
                ADD COLUMN explanation text NOT NULL DEFAULT '',
                ADD COLUMN reply text,
                ADD COLUMN host text;
            """)
}
