public import MailModel
import PostgresDriver

/// One row of the audit.
public struct AuditRow: Hashable, Sendable, Identifiable {
    /// Counts the rows; a later one is greater.
    public let id: Int64
    /// When it was done, by the database's clock.
    public let at: Timestamp
    /// What was done.
    public let change: ControlChange
    /// The version of the state that it made, if it wrote resources.
    public let stateVersion: UInt64?
}

extension ControlStore {
    /// What was done, the latest first: what comes before a row, at most so many, and never more than a page and one row.
    ///
    /// - Parameter object: only what was done to this one.
    public func audit(
        before id: Int64? = nil, limit: Int = ControlLimits.pageRows, object: String? = nil
    ) async throws(ControlStoreError) -> [AuditRow] {
        let condition = object == nil ? "" : "AND object = $3"
        let found = try await self.idempotently([
            Statement(
                """
                SELECT id, at, actor, action, object, before, after, reason, state_version FROM control.audit
                WHERE id < $1 \(condition) ORDER BY id DESC LIMIT $2
                """,
                parameters: [id ?? .max, ControlLimits.rows(limit)]
                    + (object.map { [$0.storable] } ?? []))
        ])
        var rows: [AuditRow] = []
        for row in found.first.map({ Array($0.rows) }) ?? [] {
            let change = ControlChange(
                actor: try row.value(2), action: try row.value(3), object: try row.value(4), before: try row.value(5),
                after: try row.value(6), reason: try row.value(7))
            rows.append(
                AuditRow(
                    id: try row.value(0), at: try row.moment(1), change: change,
                    stateVersion: try row.value(8, as: Int64?.self).map { UInt64(clamping: $0) }))
        }
        return rows
    }

    /// Enters into the audit what was done elsewhere, such as the rewrapping of secrets.
    public func record(_ change: ControlChange) async throws(ControlStoreError) {
        _ = try await self.change([change], [])
    }
}
