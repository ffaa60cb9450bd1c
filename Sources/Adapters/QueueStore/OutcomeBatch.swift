import ClusterModel
import MailModel
import PostgresDriver

/// The statements of one transaction that records outcomes. Their number does not depend on how many there are.
///
/// Counter rows are locked in the order deferred, held, ready by all transactions, so retries come before removals. The
/// sums of what waits for its time come last.
struct OutcomeBatch {
    let statements: [Statement]

    init(_ outcomes: [RecordedOutcome], map: ShardMap, node: String) {
        // Rows are touched in the order of their keys by all transactions, so that none wait for each other in a circle.
        let sorted = outcomes.sorted { $0.entry.key.isLocked(before: $1.entry.key) }
        let retried = sorted.filter { if case .retry = $0.result { true } else { false } }
        let removed = sorted.filter { if case .removed = $0.result { true } else { false } }
        var statements = [QueueStore.fence(Set(sorted.map(\.term)))]
        // In the order in which they came: of several changes of one destination the last is the newest.
        statements += DestinationRows.statements(outcomes)
        if !retried.isEmpty { statements.append(Self.retry(retried)) }
        if !removed.isEmpty { statements.append(Self.remove(removed)) }
        statements.append(Self.closeAttempts(sorted))
        let events = sorted.flatMap { outcome in outcome.events.map { (outcome.entry.key.shard, $0) } }
        if !events.isEmpty { statements.append(TraceRows(events).statement) }
        let notifications = sorted.flatMap(\.notifications)
        if !notifications.isEmpty {
            statements.append(EnqueueBatch(notifications, map: map, node: node).statement)
        }
        if !retried.isEmpty { statements.append(Self.sumUp(retried)) }
        self.statements = statements
    }

    private static func keys(_ outcomes: [RecordedOutcome]) -> [any PostgresEncodable] {
        let keys = outcomes.map(\.entry.key)
        return [keys.map(\.shard.rawValue), keys.map(\.message.uuid), keys.map(\.domain.text)]
    }

    /// An open attempt of an earlier epoch stays on record with an entry that is tried again: its outcome may come yet.
    private static func closeAttempts(_ outcomes: [RecordedOutcome]) -> Statement {
        let isRemoved = outcomes.map { if case .removed = $0.result { true } else { false } }
        return Statement(
            """
            DELETE FROM relay.open_attempt o
            USING unnest($1::int2[], $2::uuid[], $3::text[], $4::int8[], $5::bool[])
                AS g (shard, message_id, domain, epoch, removed)
            WHERE \(Lookup.sql("o", "g", "shard", "message_id", "domain")) AND (g.removed OR o.epoch = g.epoch)
            """, parameters: Self.keys(outcomes) + [outcomes.map(\.epoch.rawValue), isRemoved])
    }

    private static func remove(_ outcomes: [RecordedOutcome]) -> Statement {
        let attempts = outcomes.map { Int32(clamping: $0.entry.attempts) }
        return Statement(Self.removeSQL, parameters: Self.keys(outcomes) + [attempts])
    }

    private static func retry(_ outcomes: [RecordedOutcome]) -> Statement {
        var times: [PostgresTimestamp] = []
        var recipients: [String] = []
        var statuses: [String] = []
        var reasons: [String] = []
        var notified: [Bool] = []
        for case .retry(let at, let remaining, let failure, let isNotified) in outcomes.map(\.result) {
            times.append(at.stored)
            recipients.append(StoredJSON.encode(remaining))
            statuses.append(failure.status.description)
            reasons.append(failure.reason.name)
            notified.append(isNotified)
        }
        let attempts = outcomes.map { Int32(clamping: $0.entry.attempts) }
        return Statement(
            Self.retrySQL,
            parameters: Self.keys(outcomes) + [attempts, times, recipients, statuses, reasons, notified])
    }

    /// Adds those to the sums of what waits that wait in `ready`. All of them moved, or the transaction has failed.
    private static func sumUp(_ outcomes: [RecordedOutcome]) -> Statement {
        var times: [PostgresTimestamp] = []
        for case .retry(let at, _, _, _) in outcomes.map(\.result) { times.append(at.stored) }
        let rows = """
            (SELECT * FROM unnest($1::timestamptz[], $2::int8[], $3::timestamptz[]) AS g (at, size, arrived_at)
                WHERE g.at > now() AND g.at < now() + interval '59 minutes') AS v
            """
        return Statement(
            WaitingSums.add(rows), times, outcomes.map { Int64($0.entry.size) },
            outcomes.map(\.entry.arrival.stored))
    }

    /// A wait of an hour, give or take a minute of the clocks, is spent in `deferred`. An operator's verdict outlives a retry.
    private static let retrySQL = """
        WITH given AS (
            SELECT * FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::int4[], $5::timestamptz[], $6::text[],
                $7::text[], $8::text[], $9::bool[])
                AS g (shard, message_id, domain, attempts, at, recipients, status, reason, notified)
        ), moved AS (
            DELETE FROM relay.ready r USING given g
            WHERE \(Lookup.sql("r", "g", "shard", "message_id", "domain")) AND r.attempts = g.attempts
                AND r.verdict IS NULL
            RETURNING r.shard, r.message_id, r.domain, r.destination, g.at, r.arrived_at, r.attempts + 1 AS attempts,
                r.size, g.recipients::jsonb AS recipients, g.notified, g.status, g.reason,
                g.at >= now() + interval '59 minutes' AS is_long
        ), short AS (
            INSERT INTO relay.ready (shard, message_id, domain, generation, destination, next_attempt_at, arrived_at,
                attempts, size, recipients, delay_notified, last_status, last_reason)
            SELECT shard, message_id, domain, (SELECT current FROM relay.ready_generation), destination, at,
                arrived_at, attempts, size, recipients, notified, status, reason FROM moved WHERE NOT is_long
        ), long AS (
            INSERT INTO relay.deferred (shard, message_id, domain, destination, next_attempt_at, arrived_at, attempts,
                size, recipients, delay_notified, last_status, last_reason)
            SELECT shard, message_id, domain, destination, at, arrived_at, attempts, size, recipients, notified, status,
                reason FROM moved WHERE is_long
        ), counted AS (
            INSERT INTO relay.queue_counter AS c (slot, state, messages, bytes)
            SELECT pg_backend_pid() % 64, v.state, v.sign * count(*), v.sign * sum(size)
            FROM moved, (VALUES ('deferred', 1), ('ready', -1)) AS v (state, sign) WHERE is_long
            GROUP BY v.state, v.sign ORDER BY v.state
            ON CONFLICT (slot, state) DO UPDATE
            SET messages = c.messages + excluded.messages, bytes = c.bytes + excluded.bytes
        )
        SELECT relay.expect_rows((SELECT count(*) FROM moved), (SELECT count(*) FROM given), 'RL003')
        """

    private static let removeSQL = """
        WITH given AS (
            SELECT * FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::int4[])
                AS g (shard, message_id, domain, attempts)
        ), gone AS (
            DELETE FROM relay.ready r USING given g
            WHERE \(Lookup.sql("r", "g", "shard", "message_id", "domain")) AND r.attempts = g.attempts
            RETURNING r.shard, r.message_id, r.size
        ), \(Self.finish("ready"))
        SELECT relay.expect_rows((SELECT count(*) FROM gone), (SELECT count(*) FROM given), 'RL003')
        """

    /// What follows the removal of the entries in `gone` from a table: the last entry of a message takes the body with it.
    static func finish(_ state: String) -> String {
        """
        finished AS (
            UPDATE relay.message m SET remaining = m.remaining - n.entries,
                body = CASE WHEN m.remaining > n.entries THEN m.body END,
                finished_at = CASE WHEN m.remaining > n.entries THEN m.finished_at ELSE clock_timestamp() END
            FROM (SELECT shard, message_id, count(*)::int4 AS entries FROM gone GROUP BY shard, message_id) AS n
            WHERE \(Lookup.sql("m", "n", "shard", "message_id"))
            RETURNING m.shard, m.message_id, m.chunks, m.remaining
        ), cleared AS (
            DELETE FROM relay.body_chunk c USING finished f WHERE f.remaining <= 0 AND f.chunks > 0
                AND \(Lookup.sql("c", "f", "shard", "message_id"))
        ), counted AS (
            INSERT INTO relay.queue_counter AS c (slot, state, messages, bytes)
            SELECT pg_backend_pid() % 64, '\(state)', -count(*), -sum(size) FROM gone HAVING count(*) > 0
            ON CONFLICT (slot, state) DO UPDATE
            SET messages = c.messages + excluded.messages, bytes = c.bytes + excluded.bytes
        )
        """
    }
}

extension EntryKey {
    /// The order in which all transactions lock rows.
    func isLocked(before other: EntryKey) -> Bool {
        (self.shard, self.message.high, self.message.low, self.domain.text)
            < (other.shard, other.message.high, other.message.low, other.domain.text)
    }
}
