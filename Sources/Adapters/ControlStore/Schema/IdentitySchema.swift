/// Who belongs to the cluster: tokens, their uses, identities and their certificates.
enum IdentitySchema {
    static let tables = """
        CREATE TABLE control.token (
            secret_sha256 bytea PRIMARY KEY CHECK (octet_length(secret_sha256) = 32), pattern text NOT NULL,
            role text NOT NULL CHECK (role IN ('node', 'admin', 'viewer')), uses int4 NOT NULL CHECK (uses > 0),
            expires_at timestamptz NOT NULL, created_by text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp()
        );

        CREATE TABLE control.certificate (
            sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
            role text NOT NULL CHECK (role IN ('node', 'admin', 'viewer')), name text COLLATE "C" NOT NULL,
            public_key_sha256 bytea NOT NULL CHECK (octet_length(public_key_sha256) = 32),
            authority_sha256 bytea NOT NULL CHECK (octet_length(authority_sha256) = 32), der bytea NOT NULL,
            not_before timestamptz NOT NULL, not_after timestamptz NOT NULL,
            issued_at timestamptz NOT NULL DEFAULT clock_timestamp(), revoked_at timestamptz
        );
        CREATE INDEX certificate_holder ON control.certificate (role, name);
        CREATE INDEX certificate_end ON control.certificate (not_after);
        CREATE INDEX certificate_revoked ON control.certificate (not_after) WHERE revoked_at IS NOT NULL;

        CREATE TABLE control.identity (
            role text NOT NULL CHECK (role IN ('node', 'admin', 'viewer')), name text COLLATE "C" NOT NULL,
            public_key_sha256 bytea NOT NULL, certificate_sha256 bytea NOT NULL REFERENCES control.certificate,
            enrolled_at timestamptz NOT NULL DEFAULT clock_timestamp(), revoked_at timestamptz, PRIMARY KEY (role, name)
        );
        CREATE INDEX identity_certificate ON control.identity (certificate_sha256);

        CREATE TABLE control.token_use (
            secret_sha256 bytea NOT NULL REFERENCES control.token ON DELETE CASCADE, public_key_sha256 bytea NOT NULL,
            name text COLLATE "C" NOT NULL, certificate_sha256 bytea NOT NULL,
            used_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (secret_sha256, public_key_sha256)
        );

        """

    static let functions = """
        -- Stores a certificate, and makes it the present one of its holder. With "displaces", a holder of another key is no longer
        -- one: its certificates are revoked, and what is known of its node is forgotten. The caller has begun a change then.
        CREATE FUNCTION control.hold_certificate(holder_role text, holder_name text, fingerprint bytea, holder_key bytea,
            issuer bytea, content bytea, first_moment timestamptz, last_moment timestamptz, displaces bool)
            RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE displaced bool;
        BEGIN
            -- A replica may not have seen yet that another authority issues. Nothing changes that until this is done.
            PERFORM FROM control.authority a WHERE a.sha256 = issuer AND a.is_issuing FOR SHARE;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the authority that signed the certificate does not issue' USING ERRCODE = 'RL106';
            END IF;
            INSERT INTO control.certificate (sha256, role, name, public_key_sha256, authority_sha256, der, not_before, not_after)
                VALUES (fingerprint, holder_role, holder_name, holder_key, issuer, content, first_moment, last_moment)
                ON CONFLICT (sha256) DO NOTHING;
            IF displaces THEN
                UPDATE control.certificate c SET revoked_at = clock_timestamp()
                    WHERE c.role = holder_role AND c.name = holder_name AND c.public_key_sha256 <> holder_key
                        AND c.revoked_at IS NULL;
                displaced := FOUND;
                IF displaced THEN
                    UPDATE control.cluster SET revocation_version = revocation_version + 1;
                END IF;
                IF holder_role = 'node' AND NOT EXISTS (SELECT FROM control.identity i WHERE i.role = holder_role
                    AND i.name = holder_name AND i.public_key_sha256 = holder_key) THEN
                    DELETE FROM control.node n WHERE n.name = holder_name;
                END IF;
            END IF;
            INSERT INTO control.identity AS i (role, name, public_key_sha256, certificate_sha256)
                VALUES (holder_role, holder_name, holder_key, fingerprint)
                ON CONFLICT (role, name) DO UPDATE SET public_key_sha256 = excluded.public_key_sha256,
                    certificate_sha256 = excluded.certificate_sha256,
                    enrolled_at = CASE WHEN displaces AND i.public_key_sha256 <> holder_key
                        THEN clock_timestamp() ELSE i.enrolled_at END,
                    revoked_at = CASE WHEN displaces THEN NULL ELSE i.revoked_at END;
        END $f$;

        -- Uses a token, at most once for each key. All who do so come one after the other.
        CREATE FUNCTION control.redeem(secret bytea, name_fits bool, is_exact bool, quiet_us int8, holder_role text,
            holder_name text, fingerprint bytea, holder_key bytea, issuer bytea, content bytea, first_moment timestamptz,
            last_moment timestamptz, changes text, request uuid,
            OUT outcome text, OUT stored bytea, OUT free_at timestamptz)
            LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE ticket control.token;
        DECLARE former control.token_use;
        DECLARE holder control.identity;
        DECLARE is_held bool;
        DECLARE at timestamptz;
        BEGIN
            PERFORM FROM control.cluster c FOR NO KEY UPDATE;
            IF NOT FOUND THEN RAISE EXCEPTION 'there is no cluster yet' USING ERRCODE = 'RL101'; END IF;
            at := clock_timestamp();
            SELECT t.* INTO ticket FROM control.token t WHERE t.secret_sha256 = secret;
            IF NOT FOUND THEN outcome := 'unknown-token'; RETURN; END IF;
            IF ticket.expires_at <= at THEN outcome := 'expired-token'; RETURN; END IF;
            IF ticket.role <> holder_role THEN outcome := 'wrong-role'; RETURN; END IF;
            IF NOT name_fits THEN outcome := 'wrong-name'; RETURN; END IF;
            SELECT i.* INTO holder FROM control.identity i WHERE i.role = holder_role AND i.name = holder_name FOR UPDATE;
            is_held := FOUND;

            SELECT u.* INTO former FROM control.token_use u WHERE u.secret_sha256 = secret AND u.public_key_sha256 = holder_key;
            IF FOUND THEN
                -- A key has one name. What it holds no longer is not given out again.
                IF former.name <> holder_name THEN outcome := 'wrong-name'; RETURN; END IF;
                IF NOT is_held OR holder.revoked_at IS NOT NULL THEN outcome := 'revoked'; RETURN; END IF;
                SELECT c.not_after INTO free_at FROM control.certificate c WHERE c.sha256 = holder.certificate_sha256;
                IF holder.public_key_sha256 <> holder_key THEN outcome := 'name-taken'; RETURN; END IF;
                free_at := NULL;
                SELECT c.der INTO stored FROM control.certificate c
                    JOIN control.authority a ON a.sha256 = c.authority_sha256 AND a.is_trusted
                    WHERE c.sha256 = former.certificate_sha256 AND c.not_after > at;
                IF FOUND THEN outcome := 'repeated'; RETURN; END IF;
                -- The first one is of no use any more, within the token's life: the same use brings another.
                UPDATE control.token_use u SET certificate_sha256 = fingerprint
                    WHERE u.secret_sha256 = secret AND u.public_key_sha256 = holder_key;
            ELSE
                IF (SELECT count(*) FROM control.token_use u WHERE u.secret_sha256 = secret) >= ticket.uses THEN
                    outcome := 'used-up'; RETURN;
                END IF;
                -- Who was revoked comes back with another key, by a token for exactly this name that was made since.
                IF is_held AND holder.revoked_at IS NOT NULL AND (NOT is_exact OR ticket.created_at <= holder.revoked_at
                    OR holder.public_key_sha256 = holder_key) THEN
                    outcome := 'revoked'; RETURN;
                END IF;
                IF is_held AND holder.revoked_at IS NULL AND holder.public_key_sha256 <> holder_key AND NOT is_exact THEN
                    free_at := CASE WHEN holder_role = 'node' THEN greatest(holder.enrolled_at,
                            (SELECT n.last_seen FROM control.node n WHERE n.name = holder_name))
                            + quiet_us * interval '1 microsecond'
                        ELSE (SELECT c.not_after FROM control.certificate c WHERE c.sha256 = holder.certificate_sha256) END;
                    IF free_at > at THEN outcome := 'name-taken'; RETURN; END IF;
                    free_at := NULL;
                END IF;
                INSERT INTO control.token_use (secret_sha256, public_key_sha256, name, certificate_sha256)
                    VALUES (secret, holder_key, holder_name, fingerprint);
            END IF;
            PERFORM control.hold_certificate(holder_role, holder_name, fingerprint, holder_key, issuer, content, first_moment,
                last_moment, true);
            PERFORM control.record_changes(request, NULL, changes);
            outcome := 'accepted';
        END $f$;

        -- Gives a holder its next certificate, if the key that it showed is its present one.
        CREATE FUNCTION control.renew(holder_role text, holder_name text, fingerprint bytea, holder_key bytea, issuer bytea,
            content bytea, first_moment timestamptz, last_moment timestamptz, shown_key bytea) RETURNS text
            LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE holder control.identity;
        BEGIN
            SELECT i.* INTO holder FROM control.identity i WHERE i.role = holder_role AND i.name = holder_name FOR UPDATE;
            IF NOT FOUND THEN RETURN 'unknown-identity'; END IF;
            IF holder.revoked_at IS NOT NULL THEN RETURN 'revoked'; END IF;
            -- A change of key whose reply was lost is asked for again by the former key, which was not displaced.
            IF holder.public_key_sha256 <> shown_key AND (holder.public_key_sha256 <> holder_key OR NOT EXISTS (
                SELECT FROM control.certificate c WHERE c.role = holder_role AND c.name = holder_name
                    AND c.public_key_sha256 = shown_key AND c.revoked_at IS NULL)) THEN
                RETURN 'other-key';
            END IF;
            PERFORM control.hold_certificate(holder_role, holder_name, fingerprint, holder_key, issuer, content, first_moment,
                last_moment, false);
            RETURN 'recorded';
        END $f$;

        -- Refuses a holder from now on. The caller has begun a change.
        CREATE FUNCTION control.revoke_identity(holder_role text, holder_name text) RETURNS void LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $f$
        BEGIN
            UPDATE control.identity i SET revoked_at = clock_timestamp()
                WHERE i.role = holder_role AND i.name = holder_name AND i.revoked_at IS NULL;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'there is no % % that could be revoked', holder_role, holder_name USING ERRCODE = 'RL105';
            END IF;
            UPDATE control.certificate c SET revoked_at = clock_timestamp()
                WHERE c.role = holder_role AND c.name = holder_name AND c.revoked_at IS NULL;
            UPDATE control.cluster SET revocation_version = revocation_version + 1;
        END $f$;

        """
}
