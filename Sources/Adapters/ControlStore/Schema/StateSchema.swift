/// What nodes serve by, and what is known of the nodes.
enum StateSchema {
    static let tables = """
        -- A row without content is what is left of a resource that was removed.
        CREATE TABLE control.resource (
            type int2 NOT NULL, name text COLLATE "C" NOT NULL, version int8 NOT NULL, content bytea, secret bytea,
            changed_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (type, name),
            CHECK (content IS NOT NULL OR secret IS NULL)
        );
        CREATE INDEX resource_version ON control.resource (version);
        CREATE INDEX resource_removed ON control.resource (changed_at) WHERE content IS NULL;

        CREATE TABLE control.node (
            name text COLLATE "C" PRIMARY KEY, last_seen timestamptz NOT NULL, replica text,
            sent_version int8 NOT NULL DEFAULT 0, acknowledged_version int8 NOT NULL DEFAULT 0,
            served_version int8 NOT NULL DEFAULT 0, clock_offset_us int8, program_version text NOT NULL DEFAULT '',
            refused_version int8, refused_type int2, refused_name text, refused_reason text,
            trusted_authorities bytea NOT NULL DEFAULT ''
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

        CREATE TABLE control.served (
            node text COLLATE "C" PRIMARY KEY REFERENCES control.node ON DELETE CASCADE, types int2[] NOT NULL,
            names text[] NOT NULL, versions int8[] NOT NULL, digests bytea[] NOT NULL, ends timestamptz[] NOT NULL
        );

        """

    static let functions = """
        -- Writes resources under one new version of the state; all of them, or none. LATERAL and OFFSET 0 keep each join a look-up
        -- by key, whatever the planner knows of the table.
        CREATE FUNCTION control.write(request uuid, dry_run bool, changes text, types int2[], names text[], contents bytea[],
            secrets bytea[], bases int8[], OUT outcome text, OUT version int8, OUT fault_type int2, OUT fault_name text)
            LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
        BEGIN
            SELECT c.state_version INTO version FROM control.cluster c FOR NO KEY UPDATE;
            IF NOT FOUND THEN RAISE EXCEPTION 'there is no cluster yet' USING ERRCODE = 'RL101'; END IF;
            SELECT a.state_version INTO version FROM control.audit a WHERE a.request = $1 LIMIT 1;
            IF FOUND THEN outcome := 'written'; RETURN; END IF;
            SELECT c.state_version INTO version FROM control.cluster c;

            SELECT w.type, w.name, coalesce(r.version, 0) INTO fault_type, fault_name, version
                FROM unnest(types, names, bases) WITH ORDINALITY AS w (type, name, base, place)
                LEFT JOIN LATERAL (SELECT r.version FROM control.resource r
                    WHERE r.type = w.type AND r.name = w.name AND r.content IS NOT NULL OFFSET 0) AS r ON true
                WHERE w.base <> coalesce(r.version, 0) ORDER BY w.place LIMIT 1;
            IF FOUND THEN outcome := 'conflict'; RETURN; END IF;
            SELECT c.state_version INTO version FROM control.cluster c;

            -- What stays as it is keeps its version.
            SELECT array_agg(w.type ORDER BY w.place), array_agg(w.name ORDER BY w.place),
                array_agg(w.content ORDER BY w.place), array_agg(w.secret ORDER BY w.place)
                INTO types, names, contents, secrets
                FROM unnest(types, names, contents, secrets) WITH ORDINALITY AS w (type, name, content, secret, place)
                LEFT JOIN LATERAL (SELECT r.content, r.secret FROM control.resource r
                    WHERE r.type = w.type AND r.name = w.name OFFSET 0) AS r ON true
                WHERE r.content IS DISTINCT FROM w.content OR r.secret IS DISTINCT FROM w.secret;
            IF types IS NULL THEN outcome := 'unchanged'; RETURN; END IF;

            outcome := 'written';
            version := version + 1;
            IF dry_run THEN RETURN; END IF;
            INSERT INTO control.resource AS r (type, name, version, content, secret)
                SELECT w.type, w.name, write.version, w.content, w.secret
                FROM unnest(types, names, contents, secrets) AS w (type, name, content, secret)
                ON CONFLICT (type, name) DO UPDATE SET version = excluded.version, content = excluded.content,
                    secret = excluded.secret, changed_at = clock_timestamp();
            UPDATE control.cluster SET state_version = write.version;
            PERFORM control.record_changes(request, version, changes);
        END $f$;

        -- Forgets what was removed before a moment. Who has a state from before then takes everything anew.
        CREATE FUNCTION control.sweep_removed(before timestamptz) RETURNS void LANGUAGE sql
            SET search_path = pg_catalog, pg_temp AS $f$
            WITH gone AS (
                DELETE FROM control.resource r WHERE r.content IS NULL AND r.changed_at < before RETURNING r.version)
            UPDATE control.cluster c SET complete_from = greatest(c.complete_from, g.latest)
            FROM (SELECT max(version) AS latest FROM gone) AS g WHERE g.latest IS NOT NULL
        $f$;

        """
}
