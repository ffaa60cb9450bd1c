public import ClusterModel
public import MailModel
import PostgresDriver

/// Stores messages with all their entries and traces by one statement, however many there are.
///
/// The statement may be repeated with the same messages. The unique index of `message` waits for an earlier, uncertain
/// transaction to end. Then only messages that are not there yet, finished or not, bring entries with them. Rows go in
/// by order of their keys, so that two such statements never wait for each other in a circle.
struct EnqueueBatch {
    private struct Copy {
        let shard: Shard
        let message: AcceptedMessage
        let entries: [AcceptedEntry]
    }

    private let copies: [Copy]
    private let node: String

    init(_ messages: [AcceptedMessage], map: ShardMap, node: String) {
        self.node = node
        self.copies = messages.flatMap { message in
            let byShard = Dictionary(grouping: message.entries) { map.shard(for: $0.domain, message: message.id) }
            return byShard.sorted { $0.key < $1.key }.map { Copy(shard: $0.key, message: message, entries: $0.value) }
        }
    }

    /// The entries that become due, for whoever owns their shards.
    var due: [DueEntry] {
        self.copies.flatMap { copy in copy.entries.map { DueEntry(shard: copy.shard, destination: $0.domain) } }
    }

    var statement: Statement {
        let entries = self.copies.flatMap { copy in copy.entries.map { (copy, $0) } }
        func reception(_ fact: KeyPath<Reception, String?>) -> [String?] {
            entries.map { $0.0.message.reception[keyPath: fact]?.storable }
        }
        return Statement(
            Self.sql,
            parameters: [
                self.copies.map(\.shard.rawValue), self.copies.map(\.message.id.uuid),
                self.copies.map(\.message.sender.storable),
                self.copies.map { StoredJSON.encode($0.message.attributes) },
                self.copies.map { Int64($0.message.size) }, self.copies.map { Self.inlineBody($0.message.body) },
                self.copies.map { Self.chunkCount($0.message.body) }, self.copies.map { Int32($0.entries.count) },
                entries.map(\.0.shard.rawValue), entries.map(\.0.message.id.uuid), entries.map(\.1.domain.text),
                entries.map { StoredJSON.encode($0.1.recipients) },
                entries.map { TraceEvent.text(of: $0.1.recipients.map(\.address.storable)) },
                entries.map(\.0.message.receptionNote.storable), self.node.storable,
                entries.map(\.0.message.sender.storable), reception(\.client), reception(\.hello), reception(\.user),
                reception(\.admittedBy), reception(\.messageIDField),
            ])
    }

    private static func inlineBody(_ body: AcceptedMessage.Body) -> PostgresBytes? {
        if case .inline(let bytes) = body { PostgresBytes(bytes) } else { nil }
    }

    private static func chunkCount(_ body: AcceptedMessage.Body) -> Int32 {
        if case .staged(let staged) = body { staged.chunks } else { 0 }
    }

    private static let sql = """
        WITH inserted AS (
            INSERT INTO relay.message (shard, message_id, sender, attributes, size, body, chunks, remaining)
            SELECT * FROM unnest($1::int2[], $2::uuid[], $3::text[], $4::text[], $5::int8[], $6::bytea[], $7::int4[],
                $8::int4[]) AS m (shard, message_id) ORDER BY m.shard, m.message_id
            ON CONFLICT (shard, message_id) DO NOTHING RETURNING shard, message_id, chunks, size
        ), published AS (
            DELETE FROM relay.staged_body s USING inserted i
            WHERE i.chunks > 0 AND \(Lookup.sql("s", "i", "shard", "message_id")) RETURNING 1
        ), given AS (
            SELECT e.*, i.size FROM unnest($9::int2[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[],
                $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[])
                AS e (shard, message_id, domain, recipients, addresses, note, sender, client, hello, username,
                    admitted_by, message_id_field)
            JOIN inserted i ON i.shard = e.shard AND i.message_id = e.message_id
        ), queued AS (
            INSERT INTO relay.ready (shard, message_id, domain, generation, destination, next_attempt_at, arrived_at,
                attempts, size, recipients, delay_notified)
            SELECT shard, message_id, domain, (SELECT current FROM relay.ready_generation), domain, now(), now(), 0, size,
                recipients::jsonb, false FROM given
        ), traced AS (
            INSERT INTO relay.trace (shard, message_id, kind, node, domain, recipients, attempt, reply, sender, client,
                hello, username, admitted_by, size, message_id_field)
            SELECT shard, message_id, 'RECEIVE', $15, domain, addresses, 0, note, sender, client, hello, username,
                admitted_by, size, message_id_field FROM given
        ), counted AS (
            INSERT INTO relay.queue_counter AS c (slot, state, messages, bytes)
            SELECT pg_backend_pid() % 64, 'ready', count(*), sum(size) FROM given HAVING count(*) > 0
            ON CONFLICT (slot, state) DO UPDATE
            SET messages = c.messages + excluded.messages, bytes = c.bytes + excluded.bytes
        )
        SELECT relay.expect_rows((SELECT count(*) FROM published), (SELECT count(*) FROM inserted WHERE chunks > 0),
            'RL002'), (SELECT count(*) FROM inserted)
        """
}

/// An entry that has just become due: a hint for the owner of its shard, who need not wait for the next look.
public struct DueEntry: Hashable, Sendable {
    /// Where it is.
    public let shard: Shard
    /// For which destination.
    public let destination: DomainName
}
