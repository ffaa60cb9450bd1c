public import LabPeers
public import MailModel
import PostgresDriver
import QueueStore

/// Watches, inside the database and beside the relay's own code, who owned which shard when, and which node changed what.
///
/// Its record shows whether a node changed a row of a shard that another had taken over. It may only add a delivery by
/// its own latest attempt. It also shows whether the node ended a message after the other had.
public struct OwnerAudit: Sendable {
    /// A change of owner.
    public struct Term: Hashable, Sendable {
        /// The shard.
        public let shard: Int16
        /// The node that owns it from now on; `nil` for none.
        public let owner: String?
        /// When, by the database's clock.
        public let at: Timestamp
    }

    private let pool: PostgresPool

    /// Begins to watch; needs a role that may do everything.
    public static func install(in lab: LabRelay) async throws -> OwnerAudit {
        try await lab.store.pool.script(OwnerAuditSchema.sql)
        return OwnerAudit(pool: lab.store.pool)
    }

    /// How many changes of a shard's rows this node has made.
    public func changeCount(of node: String) async throws -> Int {
        let result = try await self.pool.query(
            Statement("SELECT count(*) FROM audit.change WHERE node = $1", "relayd \(node)"))
        return Int(try result.single().get(0, as: Int64.self))
    }

    /// The changes that this node made although the shard was another's, one text each; none is as it should be.
    ///
    /// Left out is a transaction that takes away an open attempt of this node's own: a delivery that is recorded late.
    public func changesAfterTakeover(of node: String) async throws -> [String] {
        let result = try await self.pool.query(
            Statement(OwnerAuditSchema.changesAfterTakeover, "relayd \(node)", node))
        return try result.rows.map { row in try row.get(0, as: String.self) }
    }

    /// The transactions in which this node recorded a delivery after the shard was another's.
    public func lateDeliveries(of node: String) async throws -> Int {
        let result = try await self.pool.query(
            Statement(OwnerAuditSchema.lateDeliveries, "relayd \(node)", node))
        return Int(try result.single().get(0, as: Int64.self))
    }

    /// Each change of owner, the earliest first.
    public func terms() async throws -> [Term] {
        let result = try await self.pool.query(Statement("SELECT shard, owner, at FROM audit.term ORDER BY at"))
        return try result.rows.map { row in
            Term(
                shard: try row.get(0), owner: try row.get(1),
                at: Timestamp(microseconds: try row.get(2, as: PostgresTimestamp.self).microseconds))
        }
    }

    /// The arrivals whose sender did not own the shard, neither when it arrived nor in the second before, one text each.
    ///
    /// The dot leaves two seconds before the lease ends at the latest, so that none arrives when another owns the shard.
    public func arrivalsAfterTakeover(_ arrivals: [ScriptedArrival]) async throws -> [String] {
        let terms = Dictionary(grouping: try await self.terms(), by: \.shard)
        let shards = try await self.shards()
        return arrivals.compactMap { arrival in
            guard let shard = arrival.queueID.flatMap({ shards[$0] }), let terms = terms[shard] else {
                return "\(arrival.messageID): of no message that is known"
            }
            let since = terms.last { $0.at <= arrival.at + .seconds(-1) }
            let present = terms.last { $0.at <= arrival.at }
            guard ![since?.owner, present?.owner].contains(arrival.client) else { return nil }
            return "\(arrival.messageID): sent by \(arrival.client), the shard was \(present?.owner ?? "nobody")'s"
        }
    }

    /// Messages of a single domain are in one shard.
    private func shards() async throws -> [MessageID: Int16] {
        let result = try await self.pool.query(Statement("SELECT DISTINCT message_id, shard FROM relay.trace"))
        return Dictionary(
            try result.rows.map { row in
                let id: PostgresUUID = try row.get(0)
                return (MessageID(high: id.high, low: id.low), try row.get(1, as: Int16.self))
            }, uniquingKeysWith: { first, _ in first })
    }
}
