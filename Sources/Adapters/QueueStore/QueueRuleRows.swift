public import DeliveryQueue
import MailModel
import PostgresDriver

/// How operators' rules are stored.
enum QueueRuleRows {
    static let columns = "r.id, r.action, r.scope, r.since, r.until, r.reason, r.actor"

    /// A rule; `nil` for one that a later version made, and that this program does not know.
    static func rule(_ row: QueryResult.Row, from column: Int = 0) throws(QueueStoreError) -> QueueRule? {
        guard let action = QueueRule.Action(rawValue: try row.value(column + 1)),
            let scope = QueueRule.Scope(try row.value(column + 2), domainName: { DomainName($0) })
        else { return nil }
        return QueueRule(
            id: try row.value(column), action: action, scope: scope, since: Timestamp(try row.value(column + 3)),
            until: try row.value(column + 4, as: PostgresTimestamp?.self).map { Timestamp($0) },
            reason: try row.value(column + 5), actor: try row.value(column + 6))
    }

    static func rules(_ result: QueryResult) throws(QueueStoreError) -> [QueueRule] {
        var rules: [QueueRule] = []
        for row in result.rows { if let rule = try Self.rule(row) { rules.append(rule) } }
        return rules
    }
}

/// By what a node sees that rules have changed.
public struct QueueRuleVersion: Hashable, Sendable {
    let serial: Int64
    let count: Int64
}

extension QueueStore {
    /// The rules that have not ended, if they are others than at an earlier look; else `nil`.
    public func queueRules(
        unless version: QueueRuleVersion?
    ) async throws(QueueStoreError) -> (rules: [QueueRule]?, version: QueueRuleVersion) {
        let results = try await self.pool.idempotently([
            // First, so that what changes behind it is read at the next look.
            Statement("SELECT coalesce(max(serial), 0), count(*) FROM relay.queue_rule"),
            Statement(
                """
                SELECT \(QueueRuleRows.columns) FROM relay.queue_rule r
                WHERE (r.until IS NULL OR r.until > now()) AND ($1::int8, $2::int8) IS DISTINCT FROM (
                    (SELECT coalesce(max(serial), 0) FROM relay.queue_rule), (SELECT count(*) FROM relay.queue_rule))
                """, version?.serial ?? -1, version?.count ?? -1),
        ])
        let row = try Self.only(results[0])
        let found = QueueRuleVersion(serial: try row.value(0), count: try row.value(1))
        return (found == version ? nil : try QueueRuleRows.rules(results[1]), found)
    }
}
