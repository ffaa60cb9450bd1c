public import ClusterModel
public import MailModel
import PostgresDriver

/// An attempt that has been under way for longer than a moment.
public struct AttemptUnderWay: Hashable, Sendable {
    /// What it does now.
    public enum Stage: String, Hashable, Sendable {
        /// Its hosts are looked up.
        case lookUp = "look-up"
        /// It waits for one of the connections that there may be. Nobody is asked meanwhile: the entry is not in delivery.
        case connection
        /// It is at a host.
        case host
    }

    /// Which entry.
    public let key: EntryKey
    /// The term in which the attempt is made.
    public let epoch: Epoch
    /// Its number, from 1.
    public let attempt: Int
    /// What it does.
    public var stage: Stage
    /// At which host, such as `mx.bravo.test[192.0.2.1]`.
    public var host: String?
    /// Since when.
    public let began: Timestamp

    /// An attempt under way.
    public init(
        key: EntryKey, epoch: Epoch, attempt: Int, stage: Stage = .lookUp, host: String? = nil, began: Timestamp
    ) {
        self.key = key
        self.epoch = epoch
        self.attempt = attempt
        self.stage = stage
        self.host = host
        self.began = began
    }
}

/// A destination whose deliveries wait, through no fault of its own.
public struct RestingDestination: Hashable, Sendable {
    /// Its shard, and the term in which it is ours.
    public let term: ShardTerm
    /// The recipients' domain.
    public let domain: DomainName
    /// What they wait for, in a word such as `resolver`.
    public let reason: String
    /// Since when.
    public let began: Timestamp

    /// A destination that rests.
    public init(term: ShardTerm, domain: DomainName, reason: String, began: Timestamp) {
        self.term = term
        self.domain = domain
        self.reason = reason
        self.began = began
    }
}

extension QueueStore {
    /// Replaces what this node has said it is busy with. Its rows count only while the shards are its own in those terms.
    public func publish(
        underWay: [AttemptUnderWay], resting: [RestingDestination]
    ) async throws(QueueStoreError) {
        let underWay = underWay.sorted { $0.key.isLocked(before: $1.key) }
        let resting = resting.sorted { ($0.term.shard, $0.domain.text) < ($1.term.shard, $1.domain.text) }
        try await self.pool.idempotently([
            Statement(
                """
                DELETE FROM relay.under_way u WHERE u.node = $1 AND NOT EXISTS (
                    SELECT FROM unnest($2::int2[], $3::uuid[], $4::text[]) AS g (shard, message_id, domain)
                    WHERE g.shard = u.shard AND g.message_id = u.message_id AND g.domain = u.domain)
                """, self.node, underWay.map(\.key.shard.rawValue), underWay.map(\.key.message.uuid),
                underWay.map(\.key.domain.text)),
            Statement(
                """
                INSERT INTO relay.under_way AS u (node, shard, message_id, domain, epoch, attempt, stage, host, began_at)
                SELECT $1, * FROM unnest($2::int2[], $3::uuid[], $4::text[], $5::int8[], $6::int4[], $7::text[],
                    $8::text[], $9::timestamptz[])
                ON CONFLICT (shard, message_id, domain) DO UPDATE SET node = excluded.node, epoch = excluded.epoch,
                    attempt = excluded.attempt, stage = excluded.stage, host = excluded.host,
                    began_at = excluded.began_at
                WHERE (u.node, u.epoch, u.attempt, u.stage, u.host, u.began_at) IS DISTINCT FROM
                    (excluded.node, excluded.epoch, excluded.attempt, excluded.stage, excluded.host, excluded.began_at)
                """, self.node, underWay.map(\.key.shard.rawValue), underWay.map(\.key.message.uuid),
                underWay.map(\.key.domain.text), underWay.map(\.epoch.rawValue),
                underWay.map { Int32(clamping: $0.attempt) }, underWay.map(\.stage.rawValue),
                underWay.map { $0.host?.storable }, underWay.map(\.began.stored)),
            Statement(
                """
                DELETE FROM relay.resting r WHERE r.node = $1 AND NOT EXISTS (
                    SELECT FROM unnest($2::int2[], $3::text[]) AS g (shard, destination)
                    WHERE g.shard = r.shard AND g.destination = r.destination)
                """, self.node, resting.map(\.term.shard.rawValue), resting.map(\.domain.text)),
            Statement(
                """
                INSERT INTO relay.resting AS r (node, shard, destination, epoch, reason, began_at)
                SELECT $1, * FROM unnest($2::int2[], $3::text[], $4::int8[], $5::text[], $6::timestamptz[])
                ON CONFLICT (shard, destination) DO UPDATE SET node = excluded.node, epoch = excluded.epoch,
                    reason = excluded.reason, began_at = excluded.began_at
                WHERE (r.node, r.epoch, r.reason, r.began_at) IS DISTINCT FROM
                    (excluded.node, excluded.epoch, excluded.reason, excluded.began_at)
                """, self.node, resting.map(\.term.shard.rawValue), resting.map(\.domain.text),
                resting.map(\.term.epoch.rawValue), resting.map(\.reason), resting.map(\.began.stored)),
        ])
    }
}
