import ClusterModel
import DeliveryQueue
import MailModel
import PostgresDriver

/// Destinations in backoff: one row each, however long their queues are.
enum DestinationRows {
    // MARK: - Writing

    /// The statements that write what outcomes say of their destinations. Of several about one, the last counts.
    static func statements(_ outcomes: [RecordedOutcome]) -> [Statement] {
        var changes: [Key: DestinationChange] = [:]
        for outcome in outcomes {
            guard let change = outcome.destinationChange else { continue }
            changes[Key(shard: outcome.entry.key.shard, name: outcome.entry.key.domain)] = change
        }
        // Rows are touched in the order of their keys by all transactions, so that none wait for each other in a circle.
        let sorted = changes.sorted { ($0.key.shard, $0.key.name.text) < ($1.key.shard, $1.key.name.text) }
        var blocked: [(Key, DestinationBackoff)] = []
        var opened: [Key] = []
        for (key, change) in sorted {
            switch change {
            case .blocked(let backoff): blocked.append((key, backoff))
            case .opened: opened.append(key)
            }
        }
        return (blocked.isEmpty ? [] : [Self.block(blocked)]) + (opened.isEmpty ? [] : [Self.open(opened)])
    }

    private struct Key: Hashable {
        let shard: Shard
        let name: DomainName
    }

    private static func block(_ rows: [(Key, DestinationBackoff)]) -> Statement {
        let failures = rows.map(\.1.failure)
        return Statement(
            """
            INSERT INTO relay.destination AS d (shard, destination, blocked_until, failures, failing_since, failure_class,
                status, reason, explanation, reply, host)
            SELECT * FROM unnest($1::int2[], $2::text[], $3::timestamptz[], $4::int4[], $5::timestamptz[], $6::text[],
                $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
            ON CONFLICT (shard, destination) DO UPDATE SET blocked_until = excluded.blocked_until,
                failures = excluded.failures, failing_since = excluded.failing_since,
                failure_class = excluded.failure_class, status = excluded.status, reason = excluded.reason,
                explanation = excluded.explanation, reply = excluded.reply, host = excluded.host
            """,
            parameters: [
                rows.map(\.0.shard.rawValue), rows.map(\.0.name.text), rows.map(\.1.until.stored),
                rows.map { Int32(clamping: $0.1.failures) }, rows.map(\.1.since.stored),
                failures.map { $0.failureClass == .security ? Self.security : Self.general },
                failures.map(\.status.description), failures.map(\.reason.name), failures.map(\.text.storable),
                failures.map { $0.reply?.storable }, failures.map { $0.host?.storable },
            ])
    }

    private static func open(_ keys: [Key]) -> Statement {
        Statement(
            """
            DELETE FROM relay.destination d USING unnest($1::int2[], $2::text[]) AS g (shard, destination)
            WHERE \(Lookup.sql("d", "g", "shard", "destination"))
            """, keys.map(\.shard.rawValue), keys.map(\.name.text))
    }

    private static let security = "security"
    private static let general = "general"

    // MARK: - Reading

    /// Reads the row of one destination, if there is one.
    static func select(_ shard: Shard, _ destination: DomainName) -> Statement {
        Statement(
            """
            SELECT blocked_until > now(), blocked_until, failures, failing_since, failure_class, status, reason,
                explanation, reply, host
            FROM relay.destination WHERE shard = $1 AND destination = $2
            """, shard.rawValue, destination.text)
    }

    /// The row that `select` has read, and whether it is in force.
    static func backoff(
        _ result: QueryResult
    ) throws(QueueStoreError) -> (backoff: DestinationBackoff, isInForce: Bool)? {
        for row in result.rows {
            let status: String = try row.value(5)
            let failure = DeliveryFailure(
                failureClass: try row.value(4) == Self.security ? .security : .general,
                // A code that no version of this program has written must not hold the mail up for ever.
                status: EnhancedStatusCode(status) ?? EnhancedStatusCode(.persistentTransientFailure, 0, 0),
                // Nor must a reason that a newer version has written.
                reason: FailureReason(rawValue: try row.value(6)) ?? .noUsableRoute, text: try row.value(7),
                reply: try row.value(8), host: try row.value(9))
            let backoff = DestinationBackoff(
                failure: failure, failures: Int(try row.value(2, as: Int32.self)),
                since: Timestamp(try row.value(3)), until: Timestamp(try row.value(1)))
            return (backoff, try row.value(0))
        }
        return nil
    }
}
