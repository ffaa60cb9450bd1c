import MailModel
import PostgresDriver

/// In which order entries are listed.
public enum QueueOrder: String, Hashable, Sendable, CaseIterable {
    /// By shard, then by message and domain: each page is one look into an index.
    case key
    /// By message and domain, the oldest message first, over all shards: each page looks into the index of each shard.
    case age
}

/// The statement that reads a page: it looks at a bounded number of entries, however few of them are selected.
struct QueuePageStatement {
    /// How many entries one page looks at.
    let span: Int
    private let selection: QueueSelection
    private let moment: Timestamp?
    private let places: [QueueListing.Place]
    private let isDetailed: Bool
    private let order: QueueOrder

    /// - Parameter moment: what waits for a later time is deferred; `nil` is now.
    init(
        _ selection: QueueSelection, at moment: Timestamp? = nil, in places: [QueueListing.Place], span: Int,
        isDetailed: Bool, order: QueueOrder = .key
    ) {
        self.selection = selection
        self.moment = moment
        self.places = places
        self.span = span
        self.isDetailed = isDetailed
        self.order = order
    }

    func statement(after cursor: QueueCursor) -> Statement {
        let selection = self.selection
        return Statement(
            self.sql, cursor.shard, cursor.message.uuid, cursor.domain, Int64(self.span),
            selection.messages.map(\.uuid), selection.domains.map(\.text), selection.senders,
            selection.arrivedBefore?.stored, selection.states.map(\.rawValue).sorted(), self.moment?.stored,
            selection.recipients.map { $0.lowercased() }, selection.dueBefore?.stored, selection.reasons,
            selection.hosts.map { $0.lowercased() }, selection.parents.map(\.text),
            selection.haveSender)
    }

    private var orderColumns: String {
        switch self.order {
        case .key: "shard, message_id, domain"
        case .age: "message_id, domain, shard"
        }
    }

    private var descendingColumns: String { self.orderColumns.replacing(",", with: " DESC,") + " DESC" }

    /// Each table gives its first entries in the order of its primary key, so that no more than a page of each is
    /// sorted. A message is looked up by its id in every shard.
    private func source(_ place: QueueListing.Place) -> String {
        let columns = """
            e.shard, e.message_id, e.domain, e.destination, '\(place.rawValue)' AS place, e.recipients, e.size,
            e.arrived_at, \(place == .held ? "NULL::timestamptz AS next_attempt_at" : "e.next_attempt_at"), e.attempts,
            e.last_status, e.last_reason, \(place == .ready ? "e.verdict" : "NULL::text AS verdict")
            """
        let table = "relay.\(place.rawValue) e"
        let isChosen = self.selection.messages.isEmpty ? "true" : "e.message_id = ANY ($5)"
        switch self.order {
        case .key where self.selection.messages.isEmpty:
            return """
                SELECT \(columns) FROM \(table) WHERE (e.shard, e.message_id, e.domain) > ($1, $2, $3)
                ORDER BY e.shard, e.message_id, e.domain LIMIT $4
                """
        case .key:
            return """
                SELECT \(columns) FROM relay.shard_lease s JOIN \(table) ON e.shard = s.shard
                WHERE \(isChosen) AND (e.shard, e.message_id, e.domain) > ($1, $2, $3)
                ORDER BY e.shard, e.message_id, e.domain LIMIT $4
                """
        case .age:
            return """
                SELECT e.* FROM relay.shard_lease s CROSS JOIN LATERAL (
                    SELECT \(columns) FROM \(table) WHERE e.shard = s.shard AND \(isChosen)
                        AND (e.message_id, e.domain, e.shard) > ($2, $3, $1)
                    ORDER BY e.shard, e.message_id, e.domain LIMIT $4) AS e
                """
        }
    }

    private var sql: String {
        """
        WITH page AS MATERIALIZED (
            SELECT * FROM (\(self.places.map { "(\(self.source($0)))" }.joined(separator: " UNION ALL "))) AS u
            ORDER BY \(self.orderColumns) LIMIT $4
        ), last AS (
            SELECT shard, message_id, domain, (SELECT count(*) FROM page) AS seen FROM page
            ORDER BY \(self.descendingColumns) LIMIT 1
        )
        SELECT last.shard, last.message_id, last.domain, last.seen, f.shard, f.message_id, f.domain, f.place, f.state,
            f.sender, f.recipients::text, f.size, f.arrived_at, f.due_at,
            f.attempts, coalesce(f.last_status, f.blocked_status), f.why,
            f.verdict, f.owner, f.requirement, coalesce(f.reply, f.blocked_reply), f.is_on_record, f.stage,
            f.stage_host, f.began_at, f.waits_for, f.suspended_because
        FROM last LEFT JOIN LATERAL (SELECT * FROM (\(self.told)) AS f WHERE \(Self.conditions)) AS f ON true
        ORDER BY \(self.orderColumns.split(separator: ", ").map { "f.\($0)" }.joined(separator: ", "))
        """
    }

    /// All that is known of each entry of the page.
    private var told: String {
        let moment = "coalesce($10::timestamptz, now())"
        return """
            SELECT e.*, m.sender, l.owner, o.attempt IS NOT NULL AS is_on_record, t.requirement, t.reply,
                CASE WHEN q.id IS NULL OR q.until IS NOT NULL
                    THEN greatest(e.next_attempt_at, d.blocked_until, q.until) END AS due_at,
                coalesce(e.last_reason, d.reason) AS why, d.status AS blocked_status,
                CASE WHEN e.last_reason IS NULL THEN coalesce(d.reply, nullif(d.explanation, '')) END AS blocked_reply,
                \(EntryTruth.state(at: moment)) AS state, u.stage, u.host AS stage_host, u.began_at,
                CASE WHEN q.id IS NOT NULL AND e.place <> 'held' THEN 'suspended' ELSE r.reason END AS waits_for,
                q.reason AS suspended_because, ARRAY[lower(t.mx_host), t.address, lower(split_part(d.host, '[', 1)),
                    lower(split_part(u.host, '[', 1)), rtrim(split_part(u.host, '[', 2), ']')] AS hosts
            FROM page e JOIN relay.message m ON m.shard = e.shard AND m.message_id = e.message_id
            \(EntryTruth.joins(at: moment))
            LEFT JOIN LATERAL (
                SELECT r.reason FROM relay.resting r WHERE r.shard = e.shard AND r.destination = e.destination
                    AND r.epoch = l.epoch AND r.node = l.owner AND e.place = 'ready' OFFSET 0) AS r ON true
            \(self.isDetailed || !self.selection.hosts.isEmpty ? "LEFT JOIN LATERAL (\(Self.trace)) AS t ON true"
                : "CROSS JOIN (SELECT NULL::text AS requirement, NULL::text AS reply, NULL::text AS mx_host, "
                    + "NULL::text AS address) AS t")
            """
    }

    private static let trace = """
        SELECT t.requirement, t.reply, t.mx_host, t.address FROM relay.trace t
        WHERE t.shard = e.shard AND t.message_id = e.message_id AND t.domain = e.domain
            AND t.at >= e.arrived_at AND t.kind IN ('DEFER', 'FAIL', 'SEND', 'TRANSFER')
        ORDER BY t.shard, t.message_id, t.at DESC, t.seq DESC LIMIT 1
        """

    private static let conditions = """
        (cardinality($5::uuid[]) = 0 OR f.message_id = ANY ($5))
            AND (cardinality($6::text[]) + cardinality($15::text[]) = 0 OR f.domain = ANY ($6)
                OR EXISTS (SELECT FROM unnest($15::text[]) AS p WHERE right(f.domain, length(p) + 1) = '.' || p))
            AND (cardinality($7::text[]) = 0 OR f.sender = ANY ($7)) AND (f.sender <> '' OR NOT $16::bool)
            AND ($8::timestamptz IS NULL OR f.arrived_at < $8)
            AND (cardinality($9::text[]) = 0 OR f.state = ANY ($9))
            AND (cardinality($11::text[]) = 0 OR EXISTS (
                SELECT FROM jsonb_array_elements(
                    CASE jsonb_typeof(f.recipients) WHEN 'array' THEN f.recipients ELSE '[]' END) AS a
                WHERE lower(a->>'address') = ANY ($11)))
            AND ($12::timestamptz IS NULL OR f.due_at < $12)
            AND (cardinality($13::text[]) = 0 OR f.why = ANY ($13)
                OR coalesce(f.last_status, f.blocked_status) = ANY ($13))
            AND (cardinality($14::text[]) = 0 OR f.hosts && $14)
        """
}
