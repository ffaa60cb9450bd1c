import PostgresDriver

extension Migration {
    /// What operators have looked up anew, for all nodes to read.
    static let dnsFlush = Migration(
        version: 8, name: "dns flush",
        sql: """
            -- `scope` says what `name` is: a name, a zone with all below it, the domain of recipients whose route is meant, or
            -- nothing where all is meant. Rows are read by their number, last first, and removed after an hour: vacuum is due
            -- by their number alone.
            CREATE TABLE relay.dns_flush (
                id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, operation uuid NOT NULL,
                at timestamptz NOT NULL DEFAULT clock_timestamp(),
                scope text NOT NULL CHECK (scope IN ('name', 'zone', 'route', 'all')), name text COLLATE "C" NOT NULL,
                actor text NOT NULL, role text NOT NULL DEFAULT session_user, reason text,
                UNIQUE (operation, scope, name)
            ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
            CREATE INDEX ON relay.dns_flush (at);

            -- Done again, it does nothing. Of more than 1000 names in one operation, all is meant.
            CREATE FUNCTION relay.flush_dns(operation uuid, scope text, names text[], actor text, reason text)
                RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
            BEGIN
                -- Numbers in the order of commits: who has seen one has seen all before it.
                PERFORM pg_advisory_xact_lock(7238947125);
                DELETE FROM relay.dns_flush d WHERE d.at < clock_timestamp() - interval '1 hour';
                IF (SELECT count(*) FROM relay.dns_flush d WHERE d.operation = $1) + cardinality(names) > 1000 THEN
                    scope := 'all';
                    names := ARRAY[''];
                END IF;
                INSERT INTO relay.dns_flush (operation, scope, name, actor, reason)
                SELECT DISTINCT $1, $2, n, $4, $5 FROM unnest($3) AS n
                WHERE NOT EXISTS (SELECT FROM relay.dns_flush d WHERE d.operation = $1 AND d.scope = 'all')
                ON CONFLICT DO NOTHING;
                IF scope <> 'route' THEN
                    RAISE LOG 'relay dns flush of % %; by % (%), reason %', scope, names, actor, session_user,
                        coalesce(reason, '-');
                END IF;
            END $f$;

            REVOKE EXECUTE ON FUNCTION relay.flush_dns(uuid, text, text[], text, text) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION relay.flush_dns(uuid, text, text[], text, text) TO relay_admin;
            GRANT SELECT ON relay.dns_flush TO relay_queue, relay_admin;
            """)
}
