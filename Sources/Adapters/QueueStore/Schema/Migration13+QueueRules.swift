import PostgresDriver

extension Migration {
    /// What operators say of all mail to some domains, until a time.
    static let queueRules = Migration(
        version: 13, name: "queue rules",
        sql: QueueRuleSchema.table + QueueRuleSchema.changing + QueueRuleSchema.asking + QueueRuleSchema.overview
            + QueueRuleSchema.privileges + QueueRuleSchema.comments)
}

/// Nodes read all rules when the highest serial or the number of rows has changed. A rule that is made or changed has a
/// new serial, and one that is lifted is gone. Rules that have ended go with the next change.
private enum QueueRuleSchema {
    static let table = """
        CREATE SEQUENCE relay.queue_rule_serial;
        CREATE TABLE relay.queue_rule (
            id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            serial int8 NOT NULL UNIQUE DEFAULT nextval('relay.queue_rule_serial'),
            action text NOT NULL CHECK (action IN ('suspend', 'bounce')),
            scope text COLLATE "C" NOT NULL CHECK (scope = lower(scope)),
            since timestamptz NOT NULL DEFAULT clock_timestamp(), until timestamptz,
            reason text NOT NULL CHECK (octet_length(reason) <= 200),
            actor text NOT NULL, role text NOT NULL DEFAULT session_user,
            UNIQUE (scope, action), CHECK (until IS NOT NULL OR action = 'suspend')
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
            autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50);
        CREATE INDEX ON relay.queue_rule (scope) WHERE scope LIKE '*%';
        ALTER SEQUENCE relay.queue_rule_serial OWNED BY relay.queue_rule.serial;
        ALTER TABLE relay.administration DROP CONSTRAINT administration_action_check, ADD CHECK (
            action IN ('hold', 'release', 'retry', 'fail', 'drop', 'suspend', 'bounce', 'resume'));

        """

    /// RL005 is one rule too many, RL006 one that has ended before it begins. `administration` knows operations that were done:
    /// done again, they do nothing.
    static let changing = """
        CREATE FUNCTION relay.make_queue_rule(
            operation uuid, action text, scope text, until timestamptz, lasting interval, actor text, reason text)
            RETURNS SETOF relay.queue_rule
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE ends timestamptz := coalesce(until, clock_timestamp() + lasting);
        BEGIN
            -- Serials in the order of commits: who has seen one has seen all before it.
            PERFORM pg_advisory_xact_lock(7238947126);
            INSERT INTO relay.administration AS a (operation, action, actor, selection, reason, finished_at)
            VALUES ($1, $2, $6, 'domain=' || $3 || coalesce(' until=' || to_char(ends AT TIME ZONE 'UTC',
                'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ''), $7, clock_timestamp()) ON CONFLICT DO NOTHING;
            IF FOUND THEN
                IF ends <= clock_timestamp() THEN
                    RAISE EXCEPTION 'the rule would end before it begins' USING ERRCODE = 'RL006';
                END IF;
                DELETE FROM relay.queue_rule r WHERE r.until <= clock_timestamp();
                INSERT INTO relay.queue_rule AS r (action, scope, until, reason, actor) VALUES ($2, $3, ends, $7, $6)
                ON CONFLICT ON CONSTRAINT queue_rule_scope_action_key DO UPDATE SET
                    serial = nextval('relay.queue_rule_serial'), until = excluded.until, reason = excluded.reason,
                    actor = excluded.actor, role = excluded.role;
                IF (SELECT count(*) FROM relay.queue_rule) > 1000 THEN
                    RAISE EXCEPTION 'there are 1000 rules in force, which is the most: lift some' USING ERRCODE = 'RL005';
                END IF;
                RAISE LOG 'relay queue %: domain %, until %; by % (%), reason %', $2, $3, coalesce(ends::text, 'lifted'),
                    $6, session_user, $7;
            END IF;
            RETURN QUERY SELECT r.* FROM relay.queue_rule r WHERE r.action = $2 AND r.scope = $3;
        END $f$;

        CREATE FUNCTION relay.lift_queue_rules(operation uuid, ids int8[], actor text, reason text) RETURNS int8
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE
            named text;
            lifted int8;
        BEGIN
            PERFORM pg_advisory_xact_lock(7238947126);
            SELECT a.affected INTO lifted FROM relay.administration a WHERE a.operation = $1;
            IF FOUND THEN RETURN lifted; END IF;
            WITH gone AS (DELETE FROM relay.queue_rule r WHERE r.id = ANY ($2) RETURNING r.*)
            SELECT count(*), string_agg(format('rule=%s %s domain=%s', g.id, g.action, g.scope), ', ' ORDER BY g.id)
            INTO lifted, named FROM gone g;
            INSERT INTO relay.administration (operation, action, actor, selection, reason, affected, finished_at)
            VALUES ($1, 'resume', $3, coalesce(named, 'nothing'), $4, lifted, clock_timestamp());
            RAISE LOG 'relay queue resume: %; by % (%), reason %', coalesce(named, 'nothing'), $3, session_user,
                coalesce($4, '-');
            RETURN lifted;
        END $f$;

        """

    static let asking = """
        -- As nodes decide about mail with a sender: a bounce before a suspension, and the one that names the domain most closely.
        -- Rules that name one domain are found by it, and without any rule nothing is looked up: it is asked for each entry of a list.
        CREATE FUNCTION relay.governing_rule(domain text) RETURNS SETOF relay.queue_rule LANGUAGE sql STABLE AS $f$
            SELECT r.* FROM (
                SELECT e.* FROM relay.queue_rule e WHERE e.scope = $1
                UNION ALL
                SELECT w.* FROM relay.queue_rule w WHERE w.scope LIKE '*%'
                    AND (w.scope = '*' OR right($1, length(w.scope) - 1) = substr(w.scope, 2))) AS r
            WHERE (r.until IS NULL OR r.until > now()) AND EXISTS (SELECT FROM relay.queue_rule)
            ORDER BY r.action, r.scope = $1 DESC, length(r.scope) DESC LIMIT 1
        $f$;

        """

    static let overview = """
        CREATE OR REPLACE VIEW relay.queue_overview AS
        SELECT relay.message_name(e.message_id) AS queue_id,
            CASE WHEN e.place <> 'ready' THEN e.place
                WHEN o.attempt IS NOT NULL OR u.stage <> 'connection' THEN 'active'
                WHEN e.next_attempt_at > now() OR d.blocked_until IS NOT NULL OR q.id IS NOT NULL THEN 'deferred'
                ELSE 'ready' END AS state,
            m.sender, e.domain,
            ARRAY(SELECT r ->> 'address' FROM jsonb_array_elements(e.recipients) AS r) AS recipients,
            e.size, e.arrived_at, e.attempts,
            CASE WHEN q.id IS NULL OR q.until IS NOT NULL THEN greatest(e.next_attempt_at, d.blocked_until, q.until) END
                AS next_attempt_at,
            coalesce(e.last_status, d.status) AS last_status, coalesce(e.last_reason, d.reason) AS last_reason,
            coalesce(u.host, d.host) AS host, l.owner AS node, e.shard, e.message_id, q.reason AS suspended_because
        FROM (
            SELECT 'ready' AS place, shard, message_id, domain, destination, next_attempt_at, arrived_at, attempts, size,
                recipients, last_status, last_reason FROM relay.ready
            UNION ALL
            SELECT 'deferred', shard, message_id, domain, destination, next_attempt_at, arrived_at, attempts, size,
                recipients, last_status, last_reason FROM relay.deferred
            UNION ALL
            SELECT 'held', shard, message_id, domain, destination, NULL, arrived_at, attempts, size, recipients,
                last_status, last_reason FROM relay.held
        ) AS e
        LEFT JOIN relay.message m ON m.shard = e.shard AND m.message_id = e.message_id
        LEFT JOIN relay.shard_lease l ON l.shard = e.shard
        LEFT JOIN relay.open_attempt o ON o.shard = e.shard AND o.message_id = e.message_id AND o.domain = e.domain
            AND o.epoch = l.epoch AND o.attempt > e.attempts AND e.place = 'ready'
        LEFT JOIN relay.under_way u ON u.shard = e.shard AND u.message_id = e.message_id AND u.domain = e.domain
            AND u.epoch = l.epoch AND u.node = l.owner AND u.attempt > e.attempts AND e.place = 'ready'
        LEFT JOIN relay.destination d ON d.shard = e.shard AND d.destination = e.destination
            AND d.blocked_until > now() AND e.place <> 'held'
        LEFT JOIN LATERAL (
            SELECT g.* FROM relay.governing_rule(e.domain) AS g WHERE g.action = 'suspend' AND e.place <> 'held'
            ) AS q ON true;

        """

    static let privileges = """
        REVOKE EXECUTE ON FUNCTION
            relay.make_queue_rule(uuid, text, text, timestamptz, interval, text, text),
            relay.lift_queue_rules(uuid, int8[], text, text), relay.governing_rule(text)
            FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION
            relay.make_queue_rule(uuid, text, text, timestamptz, interval, text, text),
            relay.lift_queue_rules(uuid, int8[], text, text) TO relay_admin;
        GRANT SELECT ON relay.queue_rule TO relay_queue, relay_admin, relay_viewer;
        GRANT EXECUTE ON FUNCTION relay.governing_rule(text) TO relay_queue, relay_admin, relay_viewer;

        """

    static let comments = """
        COMMENT ON TABLE relay.queue_rule IS 'Standing rules: what operators say of all mail to some domains. At most 1000.';
        COMMENT ON COLUMN relay.queue_rule.id IS 'By which relayctl names it.';
        COMMENT ON COLUMN relay.queue_rule.serial IS 'A new one with each change, by which nodes see that there was one.';
        COMMENT ON COLUMN relay.queue_rule.action IS 'suspend or bounce.';
        COMMENT ON COLUMN relay.queue_rule.scope IS
            'Which recipient domains, in lower case: one, all below one such as *.example.org, or * for all.';
        COMMENT ON COLUMN relay.queue_rule.since IS 'When it was first made.';
        COMMENT ON COLUMN relay.queue_rule.until IS 'When it ends; NULL when it is lifted.';
        COMMENT ON COLUMN relay.queue_rule.reason IS 'Why, in at most 200 bytes; senders are told.';
        COMMENT ON COLUMN relay.queue_rule.actor IS 'Who, as relayctl was told.';
        COMMENT ON COLUMN relay.queue_rule.role IS 'By which login.';
        COMMENT ON COLUMN relay.administration.action IS
            'hold, release, retry, fail or drop; suspend, bounce or resume of standing rules.';
        """
}
