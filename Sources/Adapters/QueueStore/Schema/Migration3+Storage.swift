import PostgresDriver

extension Migration {
    static let storage = Migration(version: 3, name: "storage", sql: StorageSchema.sql)
}

/// Storage that keeps its size and speed under a steady load of any length.
private enum StorageSchema {
    static let sql = Self.ready + Self.trace + Self.horizon + Self.vacuuming + Self.privileges

    /// Finding what has become due lately, and what is no longer held back, by one look into an index each. It also
    /// brings a rotation that succeeds beside a steady load.
    private static let ready = """
        CREATE INDEX ready_due ON relay.ready (shard, next_attempt_at);
        CREATE INDEX destination_blocked ON relay.destination (shard, blocked_until);

        -- Truncates the partition that takes no new entries, if it is empty and one of the two has grown to so many bytes;
        -- then lets new entries go there, if it is the present one that has.
        -- Nodes have the partitions locked all the time, each for some milliseconds, so a lock is waited for, but not
        -- for long: whoever comes meanwhile waits behind us. Nobody waits while there is nothing to be done.
        CREATE FUNCTION relay.rotate_ready(minimum int8) RETURNS bool LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $f$
        DECLARE present int2;
        DECLARE other int2;
        DECLARE is_grown bool;
        DECLARE occupied bool;
        BEGIN
            SELECT g.current, 1 - g.current INTO present, other FROM relay.ready_generation g FOR UPDATE NOWAIT;
            is_grown := pg_total_relation_size(format('relay.ready_%s', present)) >= minimum;
            IF NOT is_grown AND pg_total_relation_size(format('relay.ready_%s', other)) < minimum THEN
                RETURN false;
            END IF;
            EXECUTE format('SELECT EXISTS (SELECT FROM relay.ready_%s)', other) INTO occupied;
            IF occupied THEN RETURN false; END IF;
            EXECUTE format('LOCK TABLE relay.ready_%s IN ACCESS EXCLUSIVE MODE', other);
            -- Another snapshot: what was stored while we waited counts.
            EXECUTE format('SELECT EXISTS (SELECT FROM relay.ready_%s)', other) INTO occupied;
            IF occupied THEN RETURN false; END IF;
            EXECUTE format('TRUNCATE relay.ready_%s', other);
            IF is_grown THEN UPDATE relay.ready_generation SET current = other; END IF;
            RETURN true;
        EXCEPTION WHEN lock_not_available THEN
            RETURN false;
        END $f$;

        -- As nodes of the first version call it.
        CREATE OR REPLACE FUNCTION relay.rotate_ready() RETURNS bool LANGUAGE sql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS $f$ SELECT relay.rotate_ready(0::int8) $f$;


        """

    /// The trace in one partition for each day (UTC), so that forgetting a day costs nothing.
    private static let trace = """
        ALTER TABLE relay.trace RENAME TO trace_before;
        ALTER TABLE relay.trace_before ALTER seq DROP IDENTITY, DROP CONSTRAINT trace_pkey;
        ALTER TABLE relay.trace_before SET (autovacuum_vacuum_insert_scale_factor = 0.1);
        DROP INDEX relay.trace_message_id_idx;
        CREATE TABLE relay.trace (
            LIKE relay.trace_before INCLUDING DEFAULTS, PRIMARY KEY (shard, message_id, at, seq)
        ) PARTITION BY RANGE (at);
        ALTER TABLE relay.trace ALTER seq ADD GENERATED ALWAYS AS IDENTITY;
        SELECT setval('relay.trace_seq_seq', coalesce(max(seq), 0) + 1, false) FROM relay.trace_before;
        CREATE INDEX trace_message ON relay.trace (message_id);
        -- Rows for which no day was made in time: nothing may keep an outcome from being recorded.
        CREATE TABLE relay.trace_other PARTITION OF relay.trace DEFAULT;
        DO $d$ BEGIN
            -- What there is already goes with today.
            EXECUTE format('ALTER TABLE relay.trace_before RENAME TO %I',
                to_char(now() AT TIME ZONE 'UTC', '"trace_"YYYYMMDD'));
            EXECUTE format('ALTER TABLE relay.trace ATTACH PARTITION relay.%I FOR VALUES FROM (MINVALUE) TO (%L)',
                to_char(now() AT TIME ZONE 'UTC', '"trace_"YYYYMMDD'),
                (date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC');
        END $d$;

        -- Makes the partitions of the coming days, and drops those of days that are over for so long: at least one day,
        -- so that nobody who takes over a node can remove the traces of it. Gives the number dropped. What would have to
        -- wait for a lock is left for the next call.
        CREATE FUNCTION relay.keep_trace(retention interval) RETURNS int4 LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $f$
        DECLARE today timestamp := date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC');
        DECLARE oldest timestamp := (clock_timestamp() - greatest(retention, interval '1 day')) AT TIME ZONE 'UTC';
        DECLARE day timestamp;
        DECLARE part name;
        DECLARE dropped int4 := 0;
        BEGIN
            IF NOT pg_try_advisory_xact_lock(7238947124) THEN RETURN 0; END IF;
            FOR day IN SELECT generate_series(today, today + interval '3 days', interval '1 day') LOOP
                part := to_char(day, '"trace_"YYYYMMDD');
                CONTINUE WHEN to_regclass('relay.' || part) IS NOT NULL;
                BEGIN
                    -- ATTACH lets others write meanwhile; CREATE … PARTITION OF does not.
                    EXECUTE format('CREATE TABLE relay.%I (LIKE relay.trace INCLUDING DEFAULTS) WITH
                        (autovacuum_vacuum_insert_scale_factor = 0.1)', part);
                    EXECUTE format('ALTER TABLE relay.trace ATTACH PARTITION relay.%I FOR VALUES FROM (%L) TO (%L)',
                        part, day AT TIME ZONE 'UTC', (day + interval '1 day') AT TIME ZONE 'UTC');
                EXCEPTION WHEN lock_not_available OR check_violation THEN
                    -- Rows of a day that has begun are in trace_other already, and stay there.
                    NULL;
                END;
            END LOOP;
            FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'relay.trace'::regclass AND c.relname ~ '^trace_[0-9]{8}$'
                    AND to_timestamp(substr(c.relname, 7), 'YYYYMMDD')::timestamp + interval '1 day' <= oldest
            LOOP
                BEGIN
                    EXECUTE format('DROP TABLE relay.%I', part);
                    dropped := dropped + 1;
                EXCEPTION WHEN lock_not_available THEN
                    NULL;
                END;
            END LOOP;
            DELETE FROM relay.trace_other WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM relay.trace_other WHERE at < oldest AT TIME ZONE 'UTC' LIMIT 10000));
            RETURN dropped;
        END $f$;
        SELECT relay.keep_trace(interval '100 years');

        """

    /// What keeps dead rows from being removed. A node may not see the sessions of others: it learns this much of them.
    private static let horizon = """
        -- The transaction, slot or standby with the oldest view of this database. 'hidden': this function's owner may not
        -- see other sessions, for which it needs pg_read_all_stats.
        CREATE FUNCTION relay.oldest_snapshot() RETURNS TABLE (kind text, holder text, xmin text, microseconds int8)
            LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
            SELECT h.kind, h.holder, h.xmin::text, h.microseconds FROM (
                SELECT 'transaction' AS kind,
                    format('process %s, role %s, application %s, %s', pid, usename, application_name, state) AS holder,
                    CASE WHEN age(backend_xid) > coalesce(age(backend_xmin), 0) THEN backend_xid ELSE backend_xmin END
                        AS xmin,
                    (extract(epoch FROM clock_timestamp() - xact_start) * 1000000)::int8 AS microseconds
                FROM pg_stat_activity
                WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
                UNION ALL
                SELECT 'prepared transaction', gid, transaction,
                    (extract(epoch FROM clock_timestamp() - prepared) * 1000000)::int8
                FROM pg_prepared_xacts WHERE database = current_database()
                UNION ALL
                SELECT 'replication slot', slot_name, xmin, NULL FROM pg_replication_slots
                UNION ALL
                SELECT 'standby', application_name, backend_xmin, NULL FROM pg_stat_replication
                UNION ALL
                SELECT 'hidden', '', pg_current_xact_id_if_assigned()::xid, NULL
                WHERE NOT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
            ) AS h WHERE h.xmin IS NOT NULL OR h.kind = 'hidden'
            ORDER BY age(h.xmin) DESC NULLS LAST LIMIT 1
        $f$;

        """

    private static let vacuuming = """
        -- Many rows come and go: what is dead is removed before a table has grown by a fiftieth, as fast as the disk
        -- allows, since a queue that waits for its vacuum waits for ever. A TOAST table goes by its table's settings.
        ALTER TABLE relay.deferred SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
        -- Few rows, changed again and again: their number says nothing about how many are dead.
        ALTER TABLE relay.destination SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
        ALTER TABLE relay.staged_body SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
        ALTER TABLE relay.open_attempt SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
        ALTER TABLE relay.node SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
        -- The planner must learn soon that a table is empty no more, or plans made for nothing stay in use.
        ALTER TABLE relay.ready_0 SET (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);
        ALTER TABLE relay.ready_1 SET (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000);
        ALTER TABLE relay.deferred SET (autovacuum_analyze_scale_factor = 0.02);
        ALTER TABLE relay.message SET (autovacuum_analyze_scale_factor = 0.02);

        """

    private static let privileges = """
        REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA relay FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION relay.rotate_ready(int8), relay.keep_trace(interval), relay.oldest_snapshot()
            TO relay_queue;
        GRANT SELECT, INSERT ON relay.trace TO relay_queue;
        GRANT SELECT ON relay.trace TO relay_admin;
        """
}
