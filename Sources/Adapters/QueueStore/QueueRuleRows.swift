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
    ///
    /// Version and rules are of one snapshot: no rows mean no rules only where the version says so.
    public func queueRules(
        unless version: QueueRuleVersion?
    ) async throws(QueueStoreError) -> (rules: [QueueRule]?, version: QueueRuleVersion) {
        let results = try await self.pool.idempotently([
            Statement(
                """
                SELECT v.serial, v.count, \(QueueRuleRows.columns) FROM (
                    SELECT coalesce(max(serial), 0) AS serial, count(*) AS count FROM relay.queue_rule) AS v
                LEFT JOIN relay.queue_rule r ON (v.serial, v.count) IS DISTINCT FROM ($1::int8, $2::int8)
                    AND (r.until IS NULL OR r.until > now())
                """, version?.serial ?? -1, version?.count ?? -1)
        ])
        // Where there is no rule to tell, one row has the version alone.
        guard let first = results[0].rows.first else {
            throw QueueStoreError(.unreadable, "the version of the standing rules is not told")
        }
        let found = QueueRuleVersion(serial: try first.value(0), count: try first.value(1))
        guard found != version else { return (nil, found) }
        var rules: [QueueRule] = []
        for row in results[0].rows where try row.value(2, as: Int64?.self) != nil {
            if let rule = try QueueRuleRows.rule(row, from: 2) { rules.append(rule) }
        }
        return (rules, found)
    }
}
