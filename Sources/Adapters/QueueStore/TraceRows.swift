import ClusterModel
import MailModel
import PostgresDriver

/// The columns of a batch of trace rows, one array each.
struct TraceRows {
    static let columns = """
        shard, message_id, kind, node, domain, recipients, attempt, mx_host, address, dnssec, requirement, tls_version, \
        cipher, tls_match, reason, status, reply, auth, duration_us, next_attempt_at, tls_failure
        """

    /// What only the row of a reception has; `EnqueueBatch` writes it.
    private static let receptionColumns = "sender, client, hello, username, admitted_by, size, message_id_field"

    private let shards: [Int16]
    private let events: [TraceEvent]

    init(_ events: [(Shard, TraceEvent)]) {
        self.shards = events.map(\.0.rawValue)
        self.events = events.map(\.1)
    }

    /// One INSERT for all rows.
    var statement: Statement {
        Statement(
            """
            INSERT INTO relay.trace (\(Self.columns))
            SELECT * FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int4[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                $16::text[], $17::text[], $18::text[], $19::int8[], $20::timestamptz[], $21::text[])
            """, parameters: self.parameters)
    }

    private var parameters: [any PostgresEncodable] {
        var columns: [any PostgresEncodable] = [self.shards, self.events.map(\.message.uuid)]
        columns.append(self.events.map(\.kind.rawValue))
        columns.append(self.events.map(\.node.storable))
        columns.append(self.events.map(\.domain.text))
        columns.append(self.events.map(\.recipients.storable))
        columns.append(self.events.map { Int32(clamping: $0.attempt) })
        let texts: [KeyPath<TraceEvent, String?>] = [
            \.mxHost, \.address, \.dnssec, \.requirement, \.tlsVersion, \.cipher, \.tlsMatch, \.reason,
        ]
        for text in texts { columns.append(self.events.map { $0[keyPath: text]?.storable }) }
        columns.append(self.events.map { $0.status?.description })
        columns.append(self.events.map { $0.reply?.storable })
        columns.append(self.events.map { $0.authentication?.rawValue })
        columns.append(self.events.map { $0.duration?.wholeMicroseconds })
        columns.append(self.events.map { $0.nextAttempt?.stored })
        columns.append(self.events.map { $0.tlsFailure?.storable })
        return columns
    }

    /// The events of a message, the earliest first.
    static func trace(
        of message: MessageID, limit: Int, in pool: PostgresPool
    ) async throws(QueueStoreError) -> [TraceEvent] {
        let results = try await pool.idempotently([
            Statement(
                """
                SELECT \(Self.columns), at, \(Self.receptionColumns) FROM relay.trace WHERE message_id = $1
                ORDER BY at, seq LIMIT $2
                """, message.uuid, Int64(limit))
        ])
        var events: [TraceEvent] = []
        for row in results[0].rows { events.append(try Self.event(row)) }
        return events
    }

    /// Reads a row of `columns` followed by `at` and `receptionColumns`.
    private static func event(_ row: QueryResult.Row) throws(QueueStoreError) -> TraceEvent {
        let kindName: String = try row.value(2)
        guard let kind = TraceEvent.Kind(rawValue: kindName) else {
            throw QueueStoreError(.unreadable, "an event of unknown kind \(kindName)")
        }
        var event = TraceEvent(
            kind, node: try row.value(3), message: MessageID(try row.value(1)), domain: try row.domain(4),
            recipients: try row.value(5), attempt: Int(try row.value(6, as: Int32.self)))
        event.mxHost = try row.value(7)
        event.address = try row.value(8)
        event.dnssec = try row.value(9)
        event.requirement = try row.value(10)
        event.tlsVersion = try row.value(11)
        event.cipher = try row.value(12)
        event.tlsMatch = try row.value(13)
        event.reason = try row.value(14)
        event.status = try row.value(15, as: String?.self).flatMap { EnhancedStatusCode($0) }
        event.reply = try row.value(16)
        event.authentication = try row.value(17, as: String?.self).flatMap { .init(rawValue: $0) }
        event.duration = try row.value(18, as: Int64?.self).map { .microseconds($0) }
        event.nextAttempt = try row.value(19, as: PostgresTimestamp?.self).map { Timestamp($0) }
        event.tlsFailure = try row.value(20)
        event.at = Timestamp(try row.value(21))
        guard kind == .receive else { return event }
        event.sender = try row.value(22)
        event.size = try row.value(27, as: Int64?.self).map { Int($0) }
        var reception = Reception()
        reception.client = try row.value(23)
        reception.hello = try row.value(24)
        reception.user = try row.value(25)
        reception.admittedBy = try row.value(26)
        reception.messageIDField = try row.value(28)
        event.reception = reception
        return event
    }
}
