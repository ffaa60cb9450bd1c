import PostgresDriver

extension Migration {
    /// Who brought a message, in the trace's row of its reception, and what it takes to find that row.
    static let receptions = Migration(
        version: 11, name: "receptions",
        sql: """
            ALTER TABLE relay.trace ADD COLUMN sender text, ADD COLUMN client text, ADD COLUMN hello text,
                ADD COLUMN username text, ADD COLUMN admitted_by text, ADD COLUMN size int8,
                ADD COLUMN message_id_field text;

            -- Nobody writes to the trace meanwhile, so no partition of more than 16 MiB is read to make indices. One without is
            -- searched by reading it; days to come have them, made with the days.
            DO $i$
            DECLARE wanted record;
            DECLARE part record;
            BEGIN
                FOR wanted IN SELECT * FROM (VALUES
                    ('sender', 'btree (lower(sender), at) WHERE kind = $k$RECEIVE$k$'),
                    ('recipient', 'gin (string_to_array(lower(recipients), $k$ $k$)) WITH (fastupdate = off)
                        WHERE kind = $k$RECEIVE$k$'),
                    ('domain', 'btree (domain, at) WHERE kind = $k$RECEIVE$k$'),
                    ('client', 'btree (client, at) WHERE kind = $k$RECEIVE$k$'),
                    ('message_id_field', 'btree (message_id_field) WHERE kind = $k$RECEIVE$k$'),
                    ('at', 'btree (at)')) AS w (name, shape)
                LOOP
                    EXECUTE format('CREATE INDEX %I ON ONLY relay.trace USING %s', 'trace_by_' || wanted.name, wanted.shape);
                    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                        WHERE i.inhparent = 'relay.trace'::regclass AND pg_relation_size(c.oid) < 16 * 1024 * 1024
                    LOOP
                        EXECUTE format('CREATE INDEX %I ON relay.%I USING %s', part.relname || '_by_' || wanted.name,
                            part.relname, wanted.shape);
                        EXECUTE format('ALTER INDEX relay.%I ATTACH PARTITION relay.%I', 'trace_by_' || wanted.name,
                            part.relname || '_by_' || wanted.name);
                    END LOOP;
                END LOOP;
            END $i$;
            """)
}
