/// The cluster itself, who may issue certificates for it, what was done to it, and who leads.
///
/// Changes are made by pipelines, which are one transaction each. These functions raise what ends such a transaction:
///
/// | SQLSTATE | meaning |
/// |---|---|
/// | RL101 | there is no cluster |
/// | RL102 | there is one already |
/// | RL103 | this very request was done before: its reply was lost |
/// | RL104 | a dry run came to its end |
/// | RL105 | what is changed is not as the caller has seen it |
/// | RL106 | a certificate is of an authority that does not issue |
enum ClusterSchema {
    static let tables = """
        CREATE TABLE control.cluster (
            one bool PRIMARY KEY DEFAULT true CHECK (one), name text NOT NULL,
            state_version int8 NOT NULL DEFAULT 1, complete_from int8 NOT NULL DEFAULT 0,
            phase int2 NOT NULL DEFAULT 1 CHECK (phase BETWEEN 1 AND 3), revocation_version int8 NOT NULL DEFAULT 0,
            key_identifier text NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp()
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

        CREATE TABLE control.authority (
            sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32), certificate bytea NOT NULL,
            sealed_key bytea NOT NULL, is_issuing bool NOT NULL, is_trusted bool NOT NULL,
            not_before timestamptz NOT NULL, not_after timestamptz NOT NULL,
            added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CHECK (is_trusted OR NOT is_issuing)
        );
        CREATE UNIQUE INDEX authority_issuing ON control.authority (is_issuing) WHERE is_issuing;

        CREATE TABLE control.audit (
            id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
            request uuid NOT NULL, state_version int8, actor text NOT NULL, action text NOT NULL,
            object text COLLATE "C" NOT NULL, before text, after text, reason text NOT NULL
        );
        CREATE INDEX audit_request ON control.audit (request);
        CREATE INDEX audit_object ON control.audit (object, id);
        -- Rows are only added, so what makes the indexes known to index-only scans comes by inserts.
        ALTER TABLE control.audit SET (autovacuum_vacuum_insert_scale_factor = 0.1);

        CREATE TABLE control.leadership (
            -- A key of its own, so that a takeover conflicts with FOR KEY SHARE and a renewal does not.
            epoch int8 PRIMARY KEY, one bool NOT NULL DEFAULT true UNIQUE CHECK (one), replica text, incarnation uuid,
            expires_at timestamptz
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
        INSERT INTO control.leadership (epoch) VALUES (0);

        """

    static let functions = """
        -- Begins a change. Changes come one after the other.
        CREATE FUNCTION control.begin_change(request uuid) RETURNS void LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $f$
        BEGIN
            PERFORM FROM control.cluster c FOR NO KEY UPDATE;
            IF NOT FOUND THEN RAISE EXCEPTION 'there is no cluster yet' USING ERRCODE = 'RL101'; END IF;
            IF EXISTS (SELECT FROM control.audit a WHERE a.request = $1) THEN
                RAISE EXCEPTION 'this request was done' USING ERRCODE = 'RL103';
            END IF;
        END $f$;

        -- Enters into the audit what a request did: an array of JSON objects, whose keys are columns.
        CREATE FUNCTION control.record_changes(request uuid, state_version int8, changes text) RETURNS void LANGUAGE sql
            SET search_path = pg_catalog, pg_temp AS $f$
            INSERT INTO control.audit (request, state_version, actor, action, object, before, after, reason)
            SELECT $1, $2, c.actor, c.action, c.object, c.before, c.after, c.reason
            FROM jsonb_to_recordset($3::jsonb)
                AS c (actor text, action text, object text, before text, after text, reason text)
        $f$;

        -- A dry run does all of the work, and is undone as a whole by its last statement.
        CREATE FUNCTION control.undo_change() RETURNS void LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $f$
        BEGIN
            RAISE EXCEPTION 'this was a dry run' USING ERRCODE = 'RL104';
        END $f$;

        CREATE FUNCTION control.expect_rows(actual int8, wanted int8) RETURNS int8 LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $f$
        BEGIN
            IF actual <> wanted THEN
                RAISE EXCEPTION 'found % rows instead of %', actual, wanted USING ERRCODE = 'RL105';
            END IF;
            RETURN actual;
        END $f$;

        -- Lets the transaction pass only while this epoch leads. Whoever takes over waits for the transaction.
        CREATE FUNCTION control.fence(held int8) RETURNS void LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $f$
        BEGIN
            PERFORM FROM control.leadership l WHERE l.epoch = held FOR KEY SHARE;
            IF NOT FOUND THEN RAISE EXCEPTION 'epoch % is over', held USING ERRCODE = 'RL105'; END IF;
        END $f$;

        CREATE FUNCTION control.create_cluster(request uuid, cluster_name text, key_name text) RETURNS void LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $f$
        BEGIN
            -- Another run that creates it at this moment is waited for.
            INSERT INTO control.cluster (name, key_identifier) VALUES (cluster_name, key_name) ON CONFLICT DO NOTHING;
            IF FOUND THEN RETURN; END IF;
            IF EXISTS (SELECT FROM control.audit a WHERE a.request = $1) THEN
                RAISE EXCEPTION 'this request was done' USING ERRCODE = 'RL103';
            END IF;
            RAISE EXCEPTION 'there is a cluster already' USING ERRCODE = 'RL102';
        END $f$;

        -- One step of a rotation, from the phase that the caller has seen.
        CREATE FUNCTION control.step_rotation(seen int2, wanted int2) RETURNS void LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE issuer bytea;
        BEGIN
            UPDATE control.cluster c SET phase = wanted WHERE c.phase = seen;
            IF NOT FOUND THEN RAISE EXCEPTION 'the rotation is not in phase %', seen USING ERRCODE = 'RL105'; END IF;
            IF wanted = 3 THEN
                -- In this order: one issues at a time.
                PERFORM control.expect_rows((SELECT count(*) FROM control.authority a WHERE a.is_trusted), 2);
                UPDATE control.authority a SET is_issuing = false WHERE a.is_issuing RETURNING a.sha256 INTO STRICT issuer;
                UPDATE control.authority a SET is_issuing = true WHERE a.is_trusted AND a.sha256 <> issuer;
            ELSIF wanted = 1 THEN
                -- A key that signs nothing any more is not kept.
                UPDATE control.authority a SET is_trusted = false, sealed_key = '' WHERE NOT a.is_issuing AND a.is_trusted;
            END IF;
        END $f$;

        """
}
