import PostgresDriver

extension Migration {
    /// What people who look into the database by themselves need: a role that reads no content, views, and comments.
    static let readers = Migration(
        version: 12, name: "readers", sql: ReaderSchema.views + ReaderSchema.privileges + SchemaComments.sql)
}

/// `relay_viewer` sees all of the queue but bodies. Views are asked with the rights of their owner.
private enum ReaderSchema {
    static let views = """
        -- An entry is active while an attempt at it is on record, or its node says so; it waits while its time, or that of its
        -- destination, is to come.
        CREATE VIEW relay.queue_overview AS
        SELECT relay.message_name(e.message_id) AS queue_id,
            CASE WHEN e.place <> 'ready' THEN e.place
                WHEN o.attempt IS NOT NULL OR u.stage <> 'connection' THEN 'active'
                WHEN e.next_attempt_at > now() OR d.blocked_until IS NOT NULL THEN 'deferred' ELSE 'ready' END AS state,
            m.sender, e.domain,
            ARRAY(SELECT r ->> 'address' FROM jsonb_array_elements(e.recipients) AS r) AS recipients,
            e.size, e.arrived_at, e.attempts, greatest(e.next_attempt_at, d.blocked_until) AS next_attempt_at,
            coalesce(e.last_status, d.status) AS last_status, coalesce(e.last_reason, d.reason) AS last_reason,
            coalesce(u.host, d.host) AS host, l.owner AS node, e.shard, e.message_id
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
            AND d.blocked_until > now() AND e.place <> 'held';

        CREATE VIEW relay.recent_attempts AS
        SELECT t.at, relay.message_name(t.message_id) AS queue_id, t.kind, t.node, t.domain, t.recipients, t.attempt,
            t.mx_host, t.address, t.dnssec, t.requirement, t.auth, t.tls_version, t.tls_match, t.tls_failure, t.status,
            t.reason, t.reply, t.duration_us / 1000 AS duration_ms, t.next_attempt_at, t.shard, t.message_id
        FROM relay.trace t WHERE t.kind <> 'RECEIVE' AND t.at > now() - interval '1 day' ORDER BY t.at DESC;

        """

    /// `SELECT` of columns, so that content in a column that is added later is not seen by itself.
    static let privileges = """
        GRANT USAGE ON SCHEMA relay TO relay_viewer;
        GRANT SELECT ON relay.queue_overview, relay.recent_attempts TO relay_viewer, relay_admin;
        GRANT SELECT ON relay.role_names, relay.schema_version, relay.shard_lease, relay.node, relay.ready, relay.deferred, relay.held,
            relay.destination, relay.open_attempt, relay.trace, relay.queue_counter, relay.queue_waiting,
            relay.destination_waiting, relay.under_way, relay.resting, relay.administration, relay.dns_flush
            TO relay_viewer;
        GRANT SELECT (shard, message_id, sender, attributes, size, chunks, remaining, finished_at) ON relay.message TO relay_viewer;
        GRANT EXECUTE ON FUNCTION relay.message_name(uuid), relay.message_id(text) TO relay_viewer;

        """
}
