/// One batch of what an operator does: the operation is done to those of the given entries that are in the table `source`
/// still.
///
/// It does not wait for entries: a row that somebody has locked is being tried, recorded or moved just now. Counters
/// have a slot of their own, so that it does not wait for owners there either. A batch whose number was had before,
/// because the answer to its COMMIT was lost, is not done again.
enum AdministrationBatch {
    static let sql = Self.beginning + Self.locking + Self.changing + Self.ending

    private static let beginning = """
        CREATE FUNCTION relay.administer(
            operation uuid, batch int4, source text, shards int2[], messages uuid[], domains text[]) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
            -- Every access goes by key, whatever the planner thinks of the tables' sizes.
            SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $f$
        DECLARE
            command relay.administration;
            locked relay.entry_attempts[];
            free relay.entry_attempts[];
            busy int8 := 0;
            target text;
            moved text;
            put text;
            done int8;
        BEGIN
            SELECT * INTO command FROM relay.administration a WHERE a.operation = $1 AND a.finished_at IS NULL
                FOR UPDATE;
            IF NOT FOUND OR source NOT IN ('ready', 'deferred', 'held')
                OR source = 'held' AND command.action IN ('hold', 'retry')
                OR source <> 'held' AND command.action = 'release' THEN
                RAISE EXCEPTION 'no such operation on % entries', source USING ERRCODE = 'RL004';
            END IF;
            IF batch <= command.batches THEN RETURN; END IF;

        """

    private static let locking = """
            -- A destination that is left alone would keep its entries waiting: the next attempt is its probe. Its row is
            -- locked before theirs, as by owners.
            IF command.action IN ('retry', 'fail') THEN
                EXECUTE format($q$
                    WITH chosen AS (
                        SELECT DISTINCT e.shard, e.destination FROM unnest($1, $2, $3) AS g (shard, message_id, domain)
                        JOIN relay.%I e
                            ON e.shard = g.shard AND e.message_id = g.message_id AND e.domain = g.domain
                    ), locked AS (
                        SELECT d.shard, d.destination FROM relay.destination d JOIN chosen c
                            ON d.shard = c.shard AND d.destination = c.destination
                        WHERE d.blocked_until > now() ORDER BY d.shard, d.destination FOR UPDATE OF d)
                    UPDATE relay.destination d SET blocked_until = now() FROM locked l
                    WHERE d.shard = l.shard AND d.destination = l.destination
                    $q$, source) USING shards, messages, domains;
            END IF;
            EXECUTE format($q$
                SELECT array_agg(ROW(l.shard, l.message_id, l.domain, l.attempts)::relay.entry_attempts) FROM (
                    SELECT e.shard, e.message_id, e.domain, e.attempts
                    FROM unnest($1, $2, $3) AS g (shard, message_id, domain) JOIN relay.%I e
                        ON e.shard = g.shard AND e.message_id = g.message_id AND e.domain = g.domain
                    ORDER BY e.shard, e.message_id, e.domain FOR UPDATE OF e SKIP LOCKED) AS l
                $q$, source) INTO locked USING shards, messages, domains;
            -- A statement of its own, which sees what was committed before the locks were had.
            SELECT array_agg(k::relay.entry_attempts) INTO free FROM unnest(locked) AS k WHERE NOT EXISTS (
                SELECT FROM relay.open_attempt o JOIN relay.shard_lease l ON l.shard = o.shard AND l.epoch = o.epoch
                WHERE o.shard = k.shard AND o.message_id = k.message_id AND o.domain = k.domain
                    AND o.attempt > k.attempts);
            IF source = 'ready' THEN
                SELECT count(*) - coalesce(cardinality(free), 0) INTO busy
                FROM unnest(shards, messages, domains) AS g (shard, message_id, domain) JOIN relay.ready e
                    ON e.shard = g.shard AND e.message_id = g.message_id AND e.domain = g.domain;
            END IF;

        """

    private static let changing = """
            target := CASE command.action WHEN 'hold' THEN 'held' WHEN 'drop' THEN NULL ELSE 'ready' END;
            -- What is ready and stays so is changed where it is; but not a second time, what this operation has brought
            -- from `deferred`, nor what is given up already.
            moved := CASE WHEN source IS DISTINCT FROM target THEN format($q$
                DELETE FROM relay.%I e USING unnest($1) AS k
                WHERE e.shard = k.shard AND e.message_id = k.message_id AND e.domain = k.domain RETURNING e.*
                $q$, source) WHEN command.action = 'fail' THEN $q$
                UPDATE relay.ready e SET next_attempt_at = now(), verdict = coalesce($4, '') FROM unnest($1) AS k
                WHERE e.shard = k.shard AND e.message_id = k.message_id AND e.domain = k.domain AND e.verdict IS NULL
                RETURNING e.*
                $q$ ELSE $q$
                UPDATE relay.ready e SET next_attempt_at = least(e.next_attempt_at, now()) FROM unnest($1) AS k
                WHERE e.shard = k.shard AND e.message_id = k.message_id AND e.domain = k.domain
                    AND e.next_attempt_at NOT BETWEEN $7 AND now() RETURNING e.*
                $q$ END;
            put := CASE WHEN source IS NOT DISTINCT FROM target THEN 'SELECT' WHEN target = 'held' THEN $q$
                INSERT INTO relay.held (shard, message_id, domain, destination, arrived_at, attempts, size, recipients,
                    delay_notified, last_status, last_reason)
                SELECT shard, message_id, domain, destination, arrived_at, attempts, size, recipients, delay_notified,
                    last_status, last_reason FROM moved
                $q$ WHEN target = 'ready' THEN $q$
                INSERT INTO relay.ready (shard, message_id, domain, generation, destination, next_attempt_at,
                    arrived_at, attempts, size, recipients, delay_notified, last_status, last_reason, verdict)
                SELECT shard, message_id, domain, (SELECT current FROM relay.ready_generation), destination, now(),
                    arrived_at, attempts, size, recipients, delay_notified, last_status, last_reason,
                    CASE $2 WHEN 'fail' THEN coalesce($4, '') END FROM moved
                $q$ ELSE $q$
                UPDATE relay.message m SET remaining = m.remaining - n.entries,
                    body = CASE WHEN m.remaining > n.entries THEN m.body END,
                    finished_at = CASE WHEN m.remaining > n.entries THEN m.finished_at ELSE clock_timestamp() END
                FROM (SELECT shard, message_id, count(*)::int4 AS entries FROM moved
                    GROUP BY shard, message_id ORDER BY shard, message_id) AS n
                WHERE m.shard = n.shard AND m.message_id = n.message_id
                RETURNING m.shard, m.message_id, m.chunks, m.remaining
                ), cleared AS (
                    DELETE FROM relay.body_chunk c USING put WHERE put.remaining <= 0 AND put.chunks > 0
                        AND c.shard = put.shard AND c.message_id = put.message_id
                ), closed AS (
                    DELETE FROM relay.open_attempt o USING moved m
                    WHERE o.shard = m.shard AND o.message_id = m.message_id AND o.domain = m.domain
                $q$ END;

        """

    private static let ending = """
            EXECUTE format($q$
                WITH moved AS (%s), put AS (%s), traced AS (
                    INSERT INTO relay.trace (shard, message_id, kind, node, domain, recipients, attempt, reason, reply)
                    SELECT shard, message_id, upper($2), 'relayctl', domain,
                        (SELECT coalesce(string_agg(r->>'address', ' '), '') FROM jsonb_array_elements(
                            CASE jsonb_typeof(recipients) WHEN 'array' THEN recipients ELSE '[]' END) r),
                        attempts, 'operator', 'by ' || $3 || coalesce(': ' || $4, '') FROM moved
                    -- The owner writes the row of what it gives up.
                    WHERE $2 <> 'fail'
                ), counted AS (
                    INSERT INTO relay.queue_counter AS c (slot, state, messages, bytes)
                    SELECT 64, v.state, v.sign * count(*), v.sign * sum(size)
                    FROM moved, (VALUES ($5, -1), ($6, 1)) AS v (state, sign)
                    WHERE v.state IS NOT NULL AND $5 IS DISTINCT FROM $6 GROUP BY v.state, v.sign ORDER BY v.state
                    ON CONFLICT (slot, state) DO UPDATE
                    SET messages = c.messages + excluded.messages, bytes = c.bytes + excluded.bytes
                ) SELECT count(*) FROM moved
                $q$, moved, put)
            INTO done USING free, command.action, command.actor, command.reason, source, target,
                command.began_at;
            UPDATE relay.administration a
                SET batches = batch, affected = a.affected + done, in_delivery = a.in_delivery + busy
                WHERE a.operation = $1;
        END $f$;

        """
}
