public import MailModel
import PostgresDriver

/// Which entries an operator means. Conditions of different kinds must all hold; of the same kind, one must.
public struct QueueSelection: Hashable, Sendable {
    /// Ids of messages.
    public var messages: [MessageID] = []
    /// Domains of recipients.
    public var domains: [DomainName] = []
    /// The reverse paths; an empty text is the null sender.
    public var senders: [String] = []
    /// What the entries do.
    public var states: Set<QueueListing.State> = []
    /// They were stored before this moment, by the database's clock.
    public var arrivedBefore: Timestamp?

    /// Every entry.
    public init() {}

    /// Whether it has no condition.
    public var isEverything: Bool { self == QueueSelection() }

    /// The places where such entries are.
    var places: [QueueListing.Place] {
        self.states.isEmpty ? QueueListing.Place.allCases : QueueListing.Place.allCases.filter(self.mayBe(in:))
    }

    private func mayBe(in place: QueueListing.Place) -> Bool {
        switch place {
        case .ready: self.states.contains(.ready) || self.states.contains(.active)
        case .deferred: self.states.contains(.deferred)
        case .held: self.states.contains(.held)
        }
    }

    /// Of the entries in `ready`, those in delivery alone, or those that are not; `nil` for all.
    var isActive: Bool? {
        switch (self.states.contains(.active), self.states.contains(.ready)) {
        case (true, false): true
        case (false, true): false
        default: nil
        }
    }
}

extension QueueSelection: CustomStringConvertible {
    /// As it is recorded, such as `domain=bravo.test state=deferred`.
    public var description: String {
        var parts = self.messages.map { "id=\($0)" } + self.domains.map { "domain=\($0)" }
        parts += self.senders.map { "sender=<\($0)>" }
        parts += QueueListing.State.allCases.filter(self.states.contains).map { "state=\($0.rawValue)" }
        if let arrivedBefore { parts.append("arrived-before=\(arrivedBefore)") }
        return parts.isEmpty ? "everything" : parts.joined(separator: " ")
    }
}

/// The statement that reads a page: it looks at a bounded number of entries, however few of them are selected.
struct QueuePageStatement {
    /// How many entries one page looks at.
    let span: Int
    private let selection: QueueSelection
    private let places: [QueueListing.Place]
    private let isDetailed: Bool

    init(_ selection: QueueSelection, in places: [QueueListing.Place], span: Int, isDetailed: Bool) {
        self.selection = selection
        self.places = places
        self.span = span
        self.isDetailed = isDetailed
    }

    func statement(after cursor: QueueCursor) -> Statement {
        Statement(
            self.sql, cursor.shard, cursor.message.uuid, cursor.domain, Int64(self.span),
            self.selection.messages.map(\.uuid), self.selection.domains.map(\.text), self.selection.senders,
            self.selection.arrivedBefore?.stored, self.selection.isActive)
    }

    /// Each table gives its first entries in the order of its primary key, so that no more than a page of each is
    /// sorted; a message is looked up by its id in every shard.
    private func source(_ place: QueueListing.Place) -> String {
        let byKey = "(e.shard, e.message_id, e.domain) > ($1, $2, $3)"
        let from =
            self.selection.messages.isEmpty
            ? "relay.\(place.rawValue) e WHERE \(byKey)"
            : """
            relay.shard_lease s JOIN relay.\(place.rawValue) e ON e.shard = s.shard
            WHERE e.message_id = ANY ($5) AND \(byKey)
            """
        return """
            SELECT e.shard, e.message_id, e.domain, e.destination, '\(place.rawValue)' AS place, e.recipients, e.size,
                e.arrived_at, \(place == .held ? "NULL::timestamptz AS next_attempt_at" : "e.next_attempt_at"), e.attempts,
                e.last_status, e.last_reason, \(place == .ready ? "e.verdict" : "NULL::text AS verdict")
            FROM \(from) ORDER BY e.shard, e.message_id, e.domain LIMIT $4
            """
    }

    private var sql: String {
        let trace = """
            SELECT t.requirement, t.reply FROM relay.trace t
            WHERE t.shard = e.shard AND t.message_id = e.message_id AND t.domain = e.domain
                AND t.at >= e.arrived_at AND t.kind IN ('DEFER', 'FAIL', 'SEND', 'TRANSFER')
            ORDER BY t.shard, t.message_id, t.at DESC, t.seq DESC LIMIT 1
            """
        return """
            WITH page AS MATERIALIZED (
                SELECT * FROM (\(self.places.map { "(\(self.source($0)))" }.joined(separator: " UNION ALL "))) AS u
                ORDER BY shard, message_id, domain LIMIT $4
            ), last AS (
                SELECT shard, message_id, domain, (SELECT count(*) FROM page) AS seen FROM page
                ORDER BY shard DESC, message_id DESC, domain DESC LIMIT 1
            )
            SELECT last.shard, last.message_id, last.domain, last.seen, f.shard, f.message_id, f.domain, f.place, f.active,
                f.sender, f.recipients::text, f.size, f.arrived_at, greatest(f.next_attempt_at, f.blocked_until),
                f.attempts, coalesce(f.last_status, f.blocked_status), coalesce(f.last_reason, f.blocked_reason),
                f.verdict, f.owner, f.requirement, coalesce(f.reply, f.blocked_reply)
            FROM last LEFT JOIN LATERAL (
                SELECT e.*, m.sender, l.owner, o.attempt IS NOT NULL AS active, t.requirement, t.reply, d.blocked_until,
                    d.status AS blocked_status, d.reason AS blocked_reason,
                    CASE WHEN e.last_reason IS NULL THEN coalesce(d.reply, nullif(d.explanation, '')) END
                        AS blocked_reply
                FROM page e JOIN relay.message m ON m.shard = e.shard AND m.message_id = e.message_id
                LEFT JOIN relay.shard_lease l ON l.shard = e.shard
                LEFT JOIN relay.open_attempt o ON o.shard = e.shard AND o.message_id = e.message_id
                    AND o.domain = e.domain AND o.epoch = l.epoch AND o.attempt > e.attempts AND e.place = 'ready'
                -- What holds an entry back that was not tried itself.
                LEFT JOIN relay.destination d ON d.shard = e.shard AND d.destination = e.destination
                    AND d.blocked_until > now() AND e.place <> 'held'
                \(self.isDetailed ? "LEFT JOIN LATERAL (\(trace)) AS t ON true"
                    : "CROSS JOIN (SELECT NULL::text AS requirement, NULL::text AS reply) AS t")
                WHERE (cardinality($5::uuid[]) = 0 OR e.message_id = ANY ($5))
                    AND (cardinality($6::text[]) = 0 OR e.domain = ANY ($6))
                    AND (cardinality($7::text[]) = 0 OR m.sender = ANY ($7))
                    AND ($8::timestamptz IS NULL OR e.arrived_at < $8)
                    AND ($9::bool IS NULL OR e.place <> 'ready' OR (o.attempt IS NOT NULL) = $9)
            ) AS f ON true ORDER BY f.shard, f.message_id, f.domain
            """
    }
}
