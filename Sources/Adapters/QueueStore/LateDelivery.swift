import ClusterModel
import MailModel
import PostgresDriver

/// The statements that record a delivery by a former owner's attempt.
struct LateDelivery {
    let statements: [Statement]

    init(_ outcome: RecordedOutcome, undelivered: [QueueRecipient], map: ShardMap, node: String) {
        let entry = outcome.entry
        let key = entry.key
        let parameters: [any PostgresEncodable] = [key.shard.rawValue, key.message.uuid, key.domain.text]
        // The entry is locked first, as by those who open attempts.
        let locks = ["ready", "deferred", "held"].map { table in
            Statement(
                """
                SELECT FROM relay.\(table) WHERE shard = $1 AND message_id = $2 AND domain = $3 FOR UPDATE
                """, parameters: parameters)
        }
        let closed = Statement(
            """
            WITH closed AS (
                DELETE FROM relay.open_attempt WHERE shard = $1 AND message_id = $2 AND domain = $3 AND node = $4
                    AND epoch = $5 AND attempt = $6 RETURNING 1)
            SELECT relay.expect_rows((SELECT count(*) FROM closed), 1, 'RL003')
            """,
            parameters: parameters + [node, outcome.epoch.rawValue, Int32(clamping: entry.attempts + 1)])
        var statements = locks + [closed]
        statements += ["deferred", "held", "ready"].map { table in
            undelivered.isEmpty
                ? Self.remove(from: table, parameters) : Self.keep(undelivered, in: table, parameters)
        }
        statements.append(TraceRows(outcome.events.map { (key.shard, $0) }).statement)
        if !outcome.notifications.isEmpty {
            statements.append(EnqueueBatch(outcome.notifications, map: map, node: node).statement)
        }
        self.statements = statements
    }

    private static func remove(from table: String, _ key: [any PostgresEncodable]) -> Statement {
        Statement(
            """
            WITH gone AS (
                DELETE FROM relay.\(table) WHERE shard = $1 AND message_id = $2 AND domain = $3
                RETURNING shard, message_id, size
            ), \(OutcomeBatch.finish(table))
            SELECT count(*) FROM gone
            """, parameters: key)
    }

    /// Another number of attempts makes an entry that the new owner has read already one that it must read again.
    private static func keep(
        _ undelivered: [QueueRecipient], in table: String, _ key: [any PostgresEncodable]
    ) -> Statement {
        Statement(
            """
            UPDATE relay.\(table) SET recipients = $4::text::jsonb, attempts = attempts + 1
            WHERE shard = $1 AND message_id = $2 AND domain = $3
            """, parameters: key + [StoredJSON.encode(undelivered)])
    }
}
