extension OperationStatement {
    private static let columns = """
        shard, message_id, domain, destination, arrived_at, attempts, size, recipients, delay_notified, last_status, \
        last_reason
        """

    /// The entries that a change named `changed` returns.
    private static let changed = "SELECT array_agg(ROW(\(Self.columns))::relay.operated_entry) FROM changed"

    private static let returned = Self.columns.split(separator: ", ").map { "e.\($0)" }.joined(separator: ", ")

    // MARK: - Where they are

    /// Makes what is ready due. What this operation has brought from `deferred` stays as it is.
    static let retryReady = OperationStatement(
        signature: "retry_ready(free relay.entry_attempts[], since timestamptz)", result: "relay.operated_entry[]",
        sql: """
            WITH changed AS (
                UPDATE relay.ready e SET next_attempt_at = least(e.next_attempt_at, now()) FROM unnest(free) AS k
                WHERE e.shard = k.shard AND e.message_id = k.message_id AND e.domain = k.domain
                    AND e.next_attempt_at NOT BETWEEN since AND now() RETURNING \(Self.returned)
            )
            \(Self.changed)
            """)

    /// Has the owner give up what is ready, unless it is given up already.
    static let failReady = OperationStatement(
        signature: "fail_ready(free relay.entry_attempts[], because text)", result: "relay.operated_entry[]",
        sql: """
            WITH changed AS (
                UPDATE relay.ready e SET next_attempt_at = now(), verdict = because FROM unnest(free) AS k
                WHERE e.shard = k.shard AND e.message_id = k.message_id AND e.domain = k.domain AND e.verdict IS NULL
                RETURNING \(Self.returned)
            )
            \(Self.changed)
            """)

    // MARK: - From one place to another

    /// Takes entries out of a table.
    static func take(from place: String) -> OperationStatement {
        OperationStatement(
            signature: "take_from_\(place)(free relay.entry_attempts[])", result: "relay.operated_entry[]",
            sql: """
                WITH changed AS (
                    DELETE FROM relay.\(place) e USING unnest(free) AS k
                    WHERE e.shard = k.shard AND e.message_id = k.message_id AND e.domain = k.domain
                    RETURNING \(Self.returned)
                )
                \(Self.changed)
                """)
    }

    /// Holds what was taken.
    static let putInHeld = OperationStatement(
        signature: "put_in_held(taken relay.operated_entry[])", result: "void",
        sql: "INSERT INTO relay.held (\(Self.columns)) SELECT \(Self.columns) FROM unnest(taken)")

    /// Makes what was taken due; with a verdict, so that its owner gives it up.
    static let putInReady = OperationStatement(
        signature: "put_in_ready(taken relay.operated_entry[], because text)", result: "void",
        sql: """
            INSERT INTO relay.ready (\(Self.columns), generation, next_attempt_at, verdict)
            SELECT \(Self.columns), (SELECT current FROM relay.ready_generation), now(), because FROM unnest(taken)
            """)

    /// Forgets what was taken: the last entry of a message takes the body with it.
    static let finishMessages = OperationStatement(
        signature: "finish_messages(taken relay.operated_entry[])", result: "void",
        sql: """
            WITH finished AS (
                UPDATE relay.message m SET remaining = m.remaining - n.entries,
                    body = CASE WHEN m.remaining > n.entries THEN m.body END,
                    finished_at = CASE WHEN m.remaining > n.entries THEN m.finished_at ELSE clock_timestamp() END
                FROM (SELECT shard, message_id, count(*)::int4 AS entries FROM unnest(taken)
                    GROUP BY shard, message_id ORDER BY shard, message_id) AS n
                WHERE m.shard = n.shard AND m.message_id = n.message_id
                RETURNING m.shard, m.message_id, m.chunks, m.remaining
            ), cleared AS (
                DELETE FROM relay.body_chunk c USING finished f WHERE f.remaining <= 0 AND f.chunks > 0
                    AND c.shard = f.shard AND c.message_id = f.message_id
            )
            DELETE FROM relay.open_attempt o USING unnest(taken) AS t
            WHERE o.shard = t.shard AND o.message_id = t.message_id AND o.domain = t.domain
            """)

    // MARK: - Sums and trace

    /// Counts what went from one place to another, or out of the queue. Counters have a slot of their own, so that nobody waits for
    /// owners here.
    static let countMoved = OperationStatement(
        signature: "count_moved(taken relay.operated_entry[], source text, target text)", result: "void",
        sql: """
            INSERT INTO relay.queue_counter AS c (slot, state, messages, bytes)
            SELECT 64, v.state, v.sign * count(*), v.sign * sum(t.size)
            FROM unnest(taken) AS t, (VALUES (source, -1), (target, 1)) AS v (state, sign)
            WHERE v.state IS NOT NULL GROUP BY v.state, v.sign ORDER BY v.state
            ON CONFLICT (slot, state) DO UPDATE
            SET messages = c.messages + excluded.messages, bytes = c.bytes + excluded.bytes
            """)

    /// Writes the rows of the trace.
    static let trace = OperationStatement(
        signature: "trace_operation(changed relay.operated_entry[], command relay.administration)", result: "void",
        sql: """
            INSERT INTO relay.trace (shard, message_id, kind, node, domain, recipients, attempt, reason, reply)
            SELECT t.shard, t.message_id, upper(command.action), 'relayctl', t.domain,
                (SELECT coalesce(string_agg(r ->> 'address', ' '), '') FROM jsonb_array_elements(
                    CASE jsonb_typeof(t.recipients) WHEN 'array' THEN t.recipients ELSE '[]' END) AS r),
                t.attempts, 'operator', 'by ' || command.actor || coalesce(': ' || command.reason, '')
            FROM unnest(changed) AS t
            """)

    /// What an operator changes waits no more. Those that were changed are not as they were before. It comes after the other
    /// sums, as everybody has it, so that none wait for each other in a circle.
    static let stopWaiting = OperationStatement(
        signature: "stop_waiting(waited relay.waiting_entry[])", result: "void",
        sql: """
            INSERT INTO relay.queue_waiting AS w (slot, due, messages, bytes, oldest)
            SELECT 64, date_bin('10 seconds', b.next_attempt_at, 'epoch') + interval '10 seconds', -count(*),
                -sum(b.size), min(b.arrived_at)
            FROM unnest(waited) AS b
            WHERE NOT EXISTS (
                SELECT FROM relay.ready e WHERE e.shard = b.shard AND e.message_id = b.message_id
                    AND e.domain = b.domain AND e.next_attempt_at = b.next_attempt_at)
            GROUP BY 2 ORDER BY 2
            ON CONFLICT (due, slot) DO UPDATE
            SET messages = w.messages + excluded.messages, bytes = w.bytes + excluded.bytes
            """)
}
