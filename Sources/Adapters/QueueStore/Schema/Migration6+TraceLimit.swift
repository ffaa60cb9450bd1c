import PostgresDriver

extension Migration {
    /// A limit in bytes on the trace, beside that in days.
    static let traceLimit = Migration(
        version: 6, name: "trace limit",
        sql: """
            -- Forgets the oldest days until the trace takes up no more than so many bytes, and gives the number of partitions.
            -- Where today alone is larger, today's rows go as well: they are the last. The least limit keeps a node that
            -- somebody has taken over from removing all traces at once. What would have to wait for a lock is left for the
            -- next call.
            CREATE FUNCTION relay.limit_trace(most int8) RETURNS int4 LANGUAGE plpgsql SECURITY DEFINER
                SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $f$
            DECLARE today name := to_char(clock_timestamp() AT TIME ZONE 'UTC', '"trace_"YYYYMMDD');
            DECLARE surplus int8;
            DECLARE part record;
            DECLARE gone int4 := 0;
            BEGIN
                IF NOT pg_try_advisory_xact_lock(7238947124) THEN RETURN 0; END IF;
                SELECT sum(pg_total_relation_size(i.inhrelid)) - greatest(most, 4 * 1024 * 1024) INTO surplus
                FROM pg_inherits i WHERE i.inhparent = 'relay.trace'::regclass;
                FOR part IN
                    SELECT c.relname, pg_total_relation_size(c.oid) AS bytes, c.relname < today COLLATE "C" AS is_over
                    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    WHERE i.inhparent = 'relay.trace'::regclass
                        AND (c.relname = 'trace_other' OR c.relname ~ '^trace_[0-9]{8}$' AND c.relname <= today COLLATE "C")
                    ORDER BY c.relname = today, c.relname COLLATE "C"
                LOOP
                    EXIT WHEN surplus <= 0;
                    BEGIN
                        IF part.is_over THEN
                            EXECUTE format('DROP TABLE relay.%I', part.relname);
                        ELSE
                            EXECUTE format('TRUNCATE relay.%I', part.relname);
                        END IF;
                    EXCEPTION WHEN lock_not_available THEN
                        -- A later day must not go in place of an earlier one.
                        RETURN gone;
                    END;
                    surplus := surplus - part.bytes;
                    gone := gone + 1;
                END LOOP;
                RETURN gone;
            END $f$;
            REVOKE EXECUTE ON FUNCTION relay.limit_trace(int8) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION relay.limit_trace(int8) TO relay_queue;
            """)
}
