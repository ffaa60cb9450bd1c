/// What is true of an entry, in SQL: the same for the list, for the summary, and for the metrics.
///
/// Held and deferred entries have tables of their own. Of those in `ready` one is active while an attempt at it is under way: it
/// is on record, or its node has said so. One waits while its time, or that of its destination, is to come, and while an operator has
/// suspended deliveries to its domain. The others are due.
enum EntryTruth {
    /// The state of `e`. `o` is its open attempt, `u` what its node says of it, `d` the row of its destination in
    /// backoff. `q` is the rule that suspends it.
    ///
    /// - Parameter moment: what is later than this is to come.
    static func state(at moment: String) -> String {
        """
        CASE WHEN e.place <> 'ready' THEN e.place
            WHEN o.attempt IS NOT NULL OR u.stage <> 'connection' THEN 'active'
            WHEN e.next_attempt_at > \(moment) OR d.blocked_until IS NOT NULL OR q.id IS NOT NULL THEN 'deferred'
            ELSE 'ready' END
        """
    }

    /// What `state` needs to know of `e`, by look-ups.
    static func joins(at moment: String) -> String {
        """
        LEFT JOIN relay.shard_lease l ON l.shard = e.shard
        LEFT JOIN LATERAL (
            SELECT * FROM relay.open_attempt o WHERE o.shard = e.shard AND o.message_id = e.message_id
                AND o.domain = e.domain AND o.epoch = l.epoch AND o.attempt > e.attempts AND e.place = 'ready'
            OFFSET 0) AS o ON true
        LEFT JOIN LATERAL (
            SELECT * FROM relay.under_way u WHERE u.shard = e.shard AND u.message_id = e.message_id
                AND u.domain = e.domain AND u.epoch = l.epoch AND u.node = l.owner AND u.attempt > e.attempts
                AND e.place = 'ready'
            OFFSET 0) AS u ON true
        -- What holds an entry back that was not tried itself.
        LEFT JOIN LATERAL (
            SELECT * FROM relay.destination d WHERE d.shard = e.shard AND d.destination = e.destination
                AND d.blocked_until > \(moment) AND e.place <> 'held'
            OFFSET 0) AS d ON true
        LEFT JOIN LATERAL \(suspension(of: "e.domain")) AS q ON e.place <> 'held'
        """
    }

    /// What waits in `ready` for its time.
    static let waitingSQL = """
        SELECT sum(messages)::int8, sum(bytes)::int8, min(oldest) FROM (
            SELECT sum(messages) AS messages, sum(bytes) AS bytes, min(oldest) AS oldest FROM relay.queue_waiting
            WHERE due > now() GROUP BY due) AS w
        WHERE w.messages > 0
        """

    /// What is due, and waits for its destination, or until an operator lets its deliveries go on.
    static let throttledSQL = """
        SELECT sum(w.messages)::int8, sum(w.bytes)::int8, min(w.oldest) FROM relay.destination_waiting w
        LEFT JOIN LATERAL (
            SELECT true AS is_throttled FROM relay.destination d WHERE d.shard = w.shard
                AND d.destination = w.destination AND d.blocked_until > now() OFFSET 0) AS d ON true
        LEFT JOIN LATERAL \(suspension(of: "w.destination")) AS q ON true
        WHERE d.is_throttled OR q.id IS NOT NULL
        """

    /// The rule that suspends deliveries to a domain, if there is one.
    static func suspension(of domain: String) -> String {
        "(SELECT g.* FROM relay.governing_rule(\(domain)) AS g WHERE g.action = 'suspend' OFFSET 0)"
    }

    /// Attempts that are on record, or of which nodes say that they are under way: as many as there are connections.
    private static let attempts = """
        SELECT o.shard, o.message_id, o.domain, o.attempt FROM relay.open_attempt o
        CROSS JOIN LATERAL (
            SELECT FROM relay.shard_lease l WHERE l.shard = o.shard AND l.epoch = o.epoch OFFSET 0) AS l
        UNION
        SELECT u.shard, u.message_id, u.domain, u.attempt FROM relay.under_way u
        CROSS JOIN LATERAL (
            SELECT FROM relay.shard_lease l WHERE l.shard = u.shard AND l.epoch = u.epoch AND l.owner = u.node OFFSET 0) AS l
        WHERE u.stage <> 'connection'
        """

    static let activeSQL = """
        SELECT count(*), sum(e.size)::int8, min(e.arrived_at) FROM (\(attempts)) AS a
        CROSS JOIN LATERAL (
            SELECT * FROM relay.ready r WHERE r.shard = a.shard AND r.message_id = a.message_id AND r.domain = a.domain
                AND r.attempts < a.attempt OFFSET 0) AS e
        """

    /// The oldest of a table.
    static func oldestSQL(_ table: String) -> String {
        """
        SELECT min(f.arrived_at) FROM relay.shard_lease s CROSS JOIN LATERAL (
            SELECT e.arrived_at FROM relay.\(table) e WHERE e.shard = s.shard
            ORDER BY e.shard, e.message_id, e.domain LIMIT 1) AS f
        """
    }

    /// The first of each shard that is due, in an order that an index has, among a hundred.
    static func oldestReadySQL(_ order: String) -> String {
        let columns = order.split(separator: ", ").map { "e.\($0)" }.joined(separator: ", ")
        return """
            SELECT min(f.arrived_at) FROM relay.shard_lease s CROSS JOIN LATERAL (
                SELECT e.arrived_at FROM (
                    SELECT e.*, 'ready' AS place FROM relay.ready e WHERE e.shard = s.shard
                    ORDER BY e.shard, \(columns) LIMIT 100) AS e
                \(joins(at: "now()"))
                WHERE \(state(at: "now()")) = 'ready' LIMIT 1) AS f
            """
    }

    /// How many destinations rest, by what they wait for: as nodes say, and as rules of operators do.
    static let restingSQL = """
        SELECT r.reason, count(*) FROM relay.resting r CROSS JOIN LATERAL (
            SELECT FROM relay.shard_lease l WHERE l.shard = r.shard AND l.epoch = r.epoch AND l.owner = r.node OFFSET 0) AS l
        GROUP BY r.reason
        UNION ALL
        SELECT 'suspended', count(*) FROM relay.destination_waiting w
        CROSS JOIN LATERAL \(suspension(of: "w.destination")) AS q HAVING count(*) > 0
        """
}
