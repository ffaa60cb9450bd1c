public import DeliveryQueue
public import MailModel
import PostgresDriver

/// When a rule ends.
public enum QueueRuleEnd: Hashable, Sendable {
    /// So long after it is made, by the database's clock.
    case after(Duration)
    /// At this moment.
    case at(Timestamp)
    /// When an operator lifts it.
    case lifted
}

extension QueueAdministration {
    /// The rules in force, in the order in which they were made.
    public func rules() async throws(QueueStoreError) -> [QueueRule] {
        let results = try await self.pool.idempotently([
            Statement(
                """
                SELECT \(QueueRuleRows.columns) FROM relay.queue_rule r
                WHERE r.until IS NULL OR r.until > now() ORDER BY r.id
                """)
        ])
        return try QueueRuleRows.rules(results[0])
    }

    /// Makes a rule that nodes obey within a second or two. A rule of the same action and scope gets this end and reason.
    ///
    /// - Parameters:
    ///   - actor: who does it, for the record.
    ///   - reason: why; senders and clients are told.
    public func make(
        _ action: QueueRule.Action, _ scope: QueueRule.Scope, until end: QueueRuleEnd, by actor: String,
        because reason: String
    ) async throws(QueueStoreError) -> QueueRule {
        var (until, lasting): (PostgresTimestamp?, Int64?) = (nil, nil)
        switch end {
        case .after(let time): lasting = time.storedMicroseconds
        case .at(let moment): until = moment.stored
        case .lifted: ()
        }
        let results = try await self.pool.idempotently([
            Statement(
                """
                SELECT \(QueueRuleRows.columns)
                FROM relay.make_queue_rule($1, $2, $3, $4, $5 * interval '1 microsecond', $6, $7) r
                """, Self.newOperation, action.rawValue, "\(scope)", until, lasting, actor.storable, reason.storable)
        ])
        guard let rule = try QueueRuleRows.rules(results[0]).first else {
            throw QueueStoreError(.entryChanged, "the rule was lifted by somebody else at this moment")
        }
        return rule
    }

    /// Lifts rules; their number.
    public func lift(
        _ ids: [Int64], by actor: String, because reason: String?
    ) async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([
            Statement(
                "SELECT relay.lift_queue_rules($1, $2, $3, $4)", Self.newOperation, ids, actor.storable,
                reason?.storable)
        ])
        return Int(try QueueStore.only(results[0]).value(0, as: Int64.self))
    }

    private static var newOperation: PostgresUUID {
        var generator = SystemRandomNumberGenerator()
        return PostgresUUID(high: generator.next(), low: generator.next())
    }
}
