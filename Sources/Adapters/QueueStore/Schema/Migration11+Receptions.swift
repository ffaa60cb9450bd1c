extension Migration {
    /// Who brought a message, in the trace's row of its reception, and what it takes to find that row.
    static let receptions = Migration(
        version: 11, name: "receptions",
        sql: """
            ALTER TABLE relay.trace ADD COLUMN sender text, ADD COLUMN client text, ADD COLUMN hello text,
                ADD COLUMN username text, ADD COLUMN admitted_by text, ADD COLUMN size int8,
                ADD COLUMN message_id_field text;

            -- The partition of a day that is over has nothing to be found by these, and is not read to make indexes: nodes
            -- write on meanwhile. Days to come get them with the others.
            DO $i$
            DECLARE wanted record;
            DECLARE part record;
            BEGIN
                FOR wanted IN SELECT * FROM (VALUES
                    ('sender', 'btree (lower(sender), at)'), ('recipient', 'gin (string_to_array(lower(recipients), '' ''))
                        WITH (fastupdate = off)'),
                    ('domain', 'btree (domain, at)'), ('client', 'btree (client, at)'),
                    ('message_id_field', 'btree (message_id_field)'), ('at', 'brin (at)')) AS w (name, shape)
                LOOP
                    EXECUTE format('CREATE INDEX %I ON ONLY relay.trace USING %s WHERE kind = ''RECEIVE''',
                        'trace_by_' || wanted.name, wanted.shape);
                    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                        WHERE i.inhparent = 'relay.trace'::regclass AND (c.relname = 'trace_other' OR c.relname >=
                            to_char(clock_timestamp() AT TIME ZONE 'UTC', '"trace_"YYYYMMDD') COLLATE "C")
                    LOOP
                        EXECUTE format('CREATE INDEX %I ON relay.%I USING %s WHERE kind = ''RECEIVE''',
                            part.relname || '_by_' || wanted.name, part.relname, wanted.shape);
                        EXECUTE format('ALTER INDEX relay.%I ATTACH PARTITION relay.%I', 'trace_by_' || wanted.name,
                            part.relname || '_by_' || wanted.name);
                    END LOOP;
                END LOOP;
            END $i$;
            """)
}
