import PostgresDriver

extension Migration {
    /// What it takes to tell entries that are due from those that wait, and from those under way, without counting them.
    static let queueStates = Migration(
        version: 9, name: "queue states", sql: QueueStatesSchema.tables + QueueStatesSchema.actions)
}

/// `queue_waiting` has sums of the entries in `ready` that wait for their time, by that time. Once it is past, the row
/// counts no more, and nobody need have changed it. `destination_waiting` has what is due and waits for a destination
/// that is throttled, as its owner counted last. `under_way` and `resting` say what nodes are busy with for longer than
/// a moment, and what their deliveries wait for.
private enum QueueStatesSchema {
    static let tables = """
        -- Rows are changed again and again, and go after their time: vacuum is due by the number of changes alone.
        CREATE TABLE relay.queue_waiting (
            slot int2 NOT NULL, due timestamptz NOT NULL, messages int8 NOT NULL, bytes int8 NOT NULL,
            oldest timestamptz NOT NULL, PRIMARY KEY (due, slot)
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
        INSERT INTO relay.queue_waiting (slot, due, messages, bytes, oldest)
        SELECT 0, date_bin('10 seconds', next_attempt_at, 'epoch') + interval '10 seconds', count(*), sum(size),
            min(arrived_at)
        FROM relay.ready WHERE next_attempt_at > now() GROUP BY 2;

        CREATE TABLE relay.destination_waiting (
            shard int2 NOT NULL, destination text COLLATE "C" NOT NULL, messages int8 NOT NULL, bytes int8 NOT NULL,
            oldest timestamptz NOT NULL, PRIMARY KEY (shard, destination)
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

        CREATE TABLE relay.under_way (
            shard int2 NOT NULL, message_id uuid NOT NULL, domain text COLLATE "C" NOT NULL, node text NOT NULL,
            epoch int8 NOT NULL, attempt int4 NOT NULL, stage text NOT NULL, host text, began_at timestamptz NOT NULL,
            PRIMARY KEY (shard, message_id, domain)
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
        CREATE TABLE relay.resting (
            shard int2 NOT NULL, destination text COLLATE "C" NOT NULL, node text NOT NULL, epoch int8 NOT NULL,
            reason text NOT NULL, began_at timestamptz NOT NULL, PRIMARY KEY (shard, destination)
        ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

        GRANT SELECT, INSERT, UPDATE, DELETE ON relay.queue_waiting, relay.destination_waiting, relay.under_way,
            relay.resting TO relay_queue;
        GRANT SELECT ON relay.queue_waiting, relay.destination_waiting, relay.under_way, relay.resting TO relay_admin;

        """

    /// What an operator changes waits no more: the sums say so, too. The rows that the batch has changed are those that are
    /// not as they were before it.
    static let actions = """
        ALTER FUNCTION relay.administer(uuid, int4, text, int2[], uuid[], text[]) RENAME TO administer_batch;
        REVOKE EXECUTE ON FUNCTION relay.administer_batch(uuid, int4, text, int2[], uuid[], text[]) FROM relay_admin;
        CREATE FUNCTION relay.administer(
            operation uuid, batch int4, source text, shards int2[], messages uuid[], domains text[]) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
            -- Every access goes by key, whatever the planner thinks of the tables' sizes.
            SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $f$
        DECLARE
            positions int8[];
            times timestamptz[];
            sizes int8[];
            arrivals timestamptz[];
        BEGIN
            IF source = 'ready' THEN
                SELECT array_agg(g.position), array_agg(e.next_attempt_at), array_agg(e.size), array_agg(e.arrived_at)
                INTO positions, times, sizes, arrivals
                FROM unnest(shards, messages, domains) WITH ORDINALITY AS g (shard, message_id, domain, position)
                JOIN relay.ready e ON e.shard = g.shard AND e.message_id = g.message_id AND e.domain = g.domain
                WHERE e.next_attempt_at > now();
            END IF;
            PERFORM relay.administer_batch(operation, batch, source, shards, messages, domains);
            -- After the other sums, as everybody does, so that none wait for each other in a circle.
            INSERT INTO relay.queue_waiting AS w (slot, due, messages, bytes, oldest)
            SELECT 64, date_bin('10 seconds', b.at, 'epoch') + interval '10 seconds', -count(*), -sum(b.size),
                min(b.arrived_at)
            FROM unnest(positions, times, sizes, arrivals) AS b (position, at, size, arrived_at)
            WHERE NOT EXISTS (
                SELECT FROM relay.ready e WHERE e.shard = shards[b.position] AND e.message_id = messages[b.position]
                    AND e.domain = domains[b.position] AND e.next_attempt_at = b.at)
            GROUP BY 2 ORDER BY 2
            ON CONFLICT (due, slot) DO UPDATE
            SET messages = w.messages + excluded.messages, bytes = w.bytes + excluded.bytes;
        END $f$;
        REVOKE EXECUTE ON FUNCTION relay.administer(uuid, int4, text, int2[], uuid[], text[]) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION relay.administer(uuid, int4, text, int2[], uuid[], text[]) TO relay_admin;
        """
}
