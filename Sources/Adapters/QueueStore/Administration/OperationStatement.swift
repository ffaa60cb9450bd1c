/// One statement of what `relay.administer` does, as a function that it calls by name.
///
/// They run with the rights of the schema's owner, within `administer` alone: no role may execute them. An operator's role has
/// `administer`, which refuses whatever has no operation on record.
struct OperationStatement {
    /// Its name, with its parameters and their types.
    let signature: String
    let result: String
    let sql: String

    /// The tables that an entry may stand in.
    static let places = ["ready", "deferred", "held"]

    /// In the order of their use.
    static let all: [OperationStatement] = [
        [Self.waitingEntries], Self.places.map(Self.endBackoffs(of:)), Self.places.map(Self.lock(in:)),
        [Self.withoutAttempts, Self.countReady, Self.retryReady, Self.failReady], Self.places.map(Self.take(from:)),
        [Self.putInHeld, Self.putInReady, Self.finishMessages, Self.countMoved, Self.trace, Self.stopWaiting],
    ].flatMap(\.self)

    /// How it is made.
    var definition: String {
        """
        CREATE FUNCTION relay.\(self.signature) RETURNS \(self.result) LANGUAGE sql AS $f$
        \(self.sql)
        $f$;
        REVOKE EXECUTE ON FUNCTION relay.\(self.signature) FROM PUBLIC;

        """
    }

    /// What the statements hand on.
    static let types = """
        CREATE TYPE relay.operated_entry AS (shard int2, message_id uuid, domain text, destination text,
            arrived_at timestamptz, attempts int4, size int8, recipients jsonb, delay_notified bool, last_status text,
            last_reason text);
        CREATE TYPE relay.waiting_entry AS (shard int2, message_id uuid, domain text, next_attempt_at timestamptz,
            size int8, arrived_at timestamptz);

        """
}

// MARK: - Choosing

extension OperationStatement {
    /// Those that wait in `ready` for their time, before anything is done to them.
    static let waitingEntries = OperationStatement(
        signature: "waiting_entries(given relay.entry_attempts[])", result: "relay.waiting_entry[]",
        sql: """
            SELECT array_agg(ROW(e.shard, e.message_id, e.domain, e.next_attempt_at, e.size, e.arrived_at)::relay.waiting_entry)
            FROM unnest(given) AS g
            JOIN relay.ready e ON e.shard = g.shard AND e.message_id = g.message_id AND e.domain = g.domain
            WHERE e.next_attempt_at > now()
            """)

    /// A destination that is throttled would keep its entries waiting: the next attempt is its test. Its row is locked before
    /// theirs, as by owners.
    static func endBackoffs(of place: String) -> OperationStatement {
        OperationStatement(
            signature: "end_backoffs_of_\(place)(given relay.entry_attempts[])", result: "void",
            sql: """
                WITH chosen AS (
                    SELECT DISTINCT e.shard, e.destination FROM unnest(given) AS g
                    JOIN relay.\(place) e ON e.shard = g.shard AND e.message_id = g.message_id AND e.domain = g.domain
                ), locked AS (
                    SELECT d.shard, d.destination FROM relay.destination d JOIN chosen c
                        ON d.shard = c.shard AND d.destination = c.destination
                    WHERE d.blocked_until > now() ORDER BY d.shard, d.destination FOR UPDATE OF d
                )
                UPDATE relay.destination d SET blocked_until = now() FROM locked l
                WHERE d.shard = l.shard AND d.destination = l.destination
                """)
    }

    /// Locks those that are in this place. One that somebody has locked is being tried, recorded or moved just now: nobody waits
    /// for it.
    static func lock(in place: String) -> OperationStatement {
        OperationStatement(
            signature: "lock_\(place)(given relay.entry_attempts[])", result: "relay.entry_attempts[]",
            sql: """
                SELECT array_agg(ROW(l.shard, l.message_id, l.domain, l.attempts)::relay.entry_attempts) FROM (
                    SELECT e.shard, e.message_id, e.domain, e.attempts FROM unnest(given) AS g
                    JOIN relay.\(place) e ON e.shard = g.shard AND e.message_id = g.message_id AND e.domain = g.domain
                    ORDER BY e.shard, e.message_id, e.domain FOR UPDATE OF e SKIP LOCKED) AS l
                """)
    }

    /// Of those that are locked, the ones without an attempt of the shard's owner on record. A statement of its own, which
    /// sees what was committed before the locks were had.
    static let withoutAttempts = OperationStatement(
        signature: "without_attempts(locked relay.entry_attempts[])", result: "relay.entry_attempts[]",
        sql: """
            SELECT array_agg(ROW(k.shard, k.message_id, k.domain, k.attempts)::relay.entry_attempts)
            FROM unnest(locked) AS k WHERE NOT EXISTS (
                SELECT FROM relay.open_attempt o JOIN relay.shard_lease l ON l.shard = o.shard AND l.epoch = o.epoch
                WHERE o.shard = k.shard AND o.message_id = k.message_id AND o.domain = k.domain
                    AND o.attempt > k.attempts)
            """)

    /// How many are in `ready`, in delivery or not.
    static let countReady = OperationStatement(
        signature: "count_ready(given relay.entry_attempts[])", result: "int8",
        sql: """
            SELECT count(*) FROM unnest(given) AS g
            JOIN relay.ready e ON e.shard = g.shard AND e.message_id = g.message_id AND e.domain = g.domain
            """)
}
