import PostgresDriver

extension Migration {
    static let queue = Migration(
        version: 1, name: "queue", sql: QueueSchema.tables + QueueSchema.functions + QueueSchema.privileges)
}

/// The queue as it was first made.
///
/// Every primary key of queue data leads with the shard. `ready` is where entries live that are due within the hour. It
/// has two partitions, of which one takes what is new while the other empties and is truncated. So its size follows the
/// load and not the history. `deferred` has the entries that wait longer. A finished message stays as a row without
/// body for a while. Its unique index is what makes a repeated INSERT of the same id do nothing.
private enum QueueSchema {
    static let tables = """
        CREATE TABLE relay.shard_lease (
            shard int2 PRIMARY KEY, epoch int8 NOT NULL DEFAULT 0, owner text, incarnation uuid, expires_at timestamptz,
            -- A key of its own, so that a takeover conflicts with FOR KEY SHARE and a renewal does not.
            UNIQUE (shard, epoch)
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

        CREATE TABLE relay.node (name text PRIMARY KEY, incarnation uuid NOT NULL, seen_at timestamptz NOT NULL)
            WITH (fillfactor = 50);

        CREATE TABLE relay.message (
            shard int2 NOT NULL, message_id uuid NOT NULL, sender text NOT NULL, attributes text NOT NULL,
            size int8 NOT NULL, body bytea, chunks int4 NOT NULL, remaining int4 NOT NULL, finished_at timestamptz,
            PRIMARY KEY (shard, message_id)
        ) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
        CREATE INDEX message_finished ON relay.message (shard, finished_at) WHERE finished_at IS NOT NULL;
        -- Bodies are not worth compressing again and again; they are read whole.
        ALTER TABLE relay.message ALTER body SET STORAGE EXTERNAL;

        CREATE TABLE relay.staged_body (
            shard int2 NOT NULL, message_id uuid NOT NULL, touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (shard, message_id)
        ) WITH (fillfactor = 50);

        CREATE TABLE relay.body_chunk (
            shard int2 NOT NULL, message_id uuid NOT NULL, ordinal int4 NOT NULL, data bytea NOT NULL,
            PRIMARY KEY (shard, message_id, ordinal)
        ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
        ALTER TABLE relay.body_chunk ALTER data SET STORAGE EXTERNAL;

        CREATE TABLE relay.ready_generation (one bool PRIMARY KEY DEFAULT true CHECK (one), current int2 NOT NULL);
        INSERT INTO relay.ready_generation (current) VALUES (0);

        CREATE TABLE relay.ready (
            shard int2 NOT NULL, message_id uuid NOT NULL, domain text COLLATE "C" NOT NULL, generation int2 NOT NULL,
            destination text COLLATE "C" NOT NULL, next_attempt_at timestamptz NOT NULL, arrived_at timestamptz NOT NULL,
            attempts int4 NOT NULL, size int8 NOT NULL, recipients jsonb NOT NULL, delay_notified bool NOT NULL,
            last_status text, last_reason text,
            PRIMARY KEY (shard, message_id, domain, generation)
        ) PARTITION BY LIST (generation);
        CREATE INDEX ON relay.ready (shard, destination, next_attempt_at, message_id);
        CREATE TABLE relay.ready_0 PARTITION OF relay.ready FOR VALUES IN (0)
            WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
        CREATE TABLE relay.ready_1 PARTITION OF relay.ready FOR VALUES IN (1)
            WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

        CREATE TABLE relay.deferred (LIKE relay.ready, PRIMARY KEY (shard, message_id, domain))
            WITH (autovacuum_vacuum_scale_factor = 0.05);
        ALTER TABLE relay.deferred DROP COLUMN generation;
        CREATE INDEX ON relay.deferred (shard, next_attempt_at);

        CREATE TABLE relay.destination (
            shard int2 NOT NULL, destination text COLLATE "C" NOT NULL, blocked_until timestamptz NOT NULL,
            failures int4 NOT NULL, reason text NOT NULL, PRIMARY KEY (shard, destination)
        ) WITH (fillfactor = 50);

        CREATE TABLE relay.open_attempt (
            shard int2 NOT NULL, message_id uuid NOT NULL, domain text COLLATE "C" NOT NULL, node text NOT NULL,
            epoch int8 NOT NULL, attempt int4 NOT NULL, opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (shard, message_id, domain)
        ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

        CREATE TABLE relay.trace (
            shard int2 NOT NULL, message_id uuid NOT NULL, seq int8 GENERATED ALWAYS AS IDENTITY,
            at timestamptz NOT NULL DEFAULT clock_timestamp(), kind text NOT NULL, node text NOT NULL,
            domain text NOT NULL, recipients text NOT NULL, attempt int4 NOT NULL, mx_host text, address text,
            dnssec text, requirement text, tls_version text, cipher text, tls_match text, reason text, status text,
            reply text, auth text, duration_us int8, next_attempt_at timestamptz,
            PRIMARY KEY (shard, message_id, seq)
        );
        CREATE INDEX ON relay.trace (message_id);

        -- Sums are spread over slots, so that commits do not queue up for one row.
        CREATE TABLE relay.queue_counter (
            slot int2 NOT NULL, state text NOT NULL, messages int8 NOT NULL, bytes int8 NOT NULL,
            PRIMARY KEY (slot, state)
        ) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

        """

    /// RL001 is a stale epoch, RL002 a body that is no longer staged, RL003 an entry that is not as the caller thinks.
    static let functions = """
        CREATE FUNCTION relay.fence(shards int2[], epochs int8[]) RETURNS void LANGUAGE plpgsql AS $f$
        DECLARE held int8;
        BEGIN
            SELECT count(*) INTO held FROM (
                SELECT FROM relay.shard_lease l JOIN unnest(shards, epochs) AS f (shard, epoch)
                    ON l.shard = f.shard AND l.epoch = f.epoch
                ORDER BY l.shard FOR KEY SHARE OF l) AS locked;
            IF held <> cardinality(shards) THEN
                RAISE EXCEPTION 'the epoch of a shard is not ours' USING ERRCODE = 'RL001';
            END IF;
        END $f$;

        CREATE FUNCTION relay.expect_rows(actual int8, wanted int8, state text) RETURNS int8 LANGUAGE plpgsql AS $f$
        BEGIN
            IF actual <> wanted THEN
                RAISE EXCEPTION 'found % rows instead of %', actual, wanted USING ERRCODE = state;
            END IF;
            RETURN actual;
        END $f$;

        -- Lets new entries go to the other partition, once that is empty. Never waits for a lock: it is tried again.
        CREATE FUNCTION relay.rotate_ready() RETURNS bool LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE other int2;
        DECLARE occupied bool;
        BEGIN
            SELECT 1 - g.current INTO other FROM relay.ready_generation g FOR UPDATE NOWAIT;
            EXECUTE format('LOCK TABLE relay.ready_%s IN ACCESS EXCLUSIVE MODE NOWAIT', other);
            EXECUTE format('SELECT EXISTS (SELECT FROM relay.ready_%s)', other) INTO occupied;
            IF occupied THEN RETURN false; END IF;
            EXECUTE format('TRUNCATE relay.ready_%s', other);
            UPDATE relay.ready_generation SET current = other;
            RETURN true;
        EXCEPTION WHEN lock_not_available THEN
            RETURN false;
        END $f$;

        """

    static let privileges = """
        DO $r$
        DECLARE role text;
        BEGIN
            FOREACH role IN ARRAY ARRAY['relay_queue', 'relay_admin'] LOOP
                BEGIN
                    -- Roles belong to the whole server: another database may have made them.
                    EXECUTE format('CREATE ROLE %I NOLOGIN', role);
                EXCEPTION WHEN duplicate_object OR unique_violation THEN
                    NULL;
                END;
            END LOOP;
        END $r$;
        REVOKE ALL ON SCHEMA relay FROM PUBLIC;
        REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA relay FROM PUBLIC;
        GRANT USAGE ON SCHEMA relay TO relay_queue, relay_admin;
        -- No CREATE, no TRUNCATE, no ownership: an edge node changes rows, and nothing else. Shards are not made or
        -- dropped, and trace rows are not rewritten.
        GRANT SELECT ON relay.schema_version, relay.ready_generation TO relay_queue;
        GRANT SELECT, UPDATE ON relay.shard_lease TO relay_queue;
        GRANT SELECT, INSERT ON relay.trace TO relay_queue;
        GRANT SELECT, INSERT, UPDATE ON relay.node, relay.queue_counter TO relay_queue;
        GRANT SELECT, INSERT, UPDATE, DELETE ON relay.message, relay.staged_body, relay.body_chunk, relay.ready,
            relay.deferred, relay.destination, relay.open_attempt TO relay_queue;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA relay TO relay_queue;
        GRANT SELECT ON relay.schema_version, relay.shard_lease, relay.node, relay.message, relay.ready, relay.deferred,
            relay.destination, relay.open_attempt, relay.trace, relay.queue_counter TO relay_admin;
        """
}
