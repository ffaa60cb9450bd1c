public import ClusterModel
import MailModel
import PostgresDriver

extension QueueStore {
    /// Puts on record that attempts are about to be made, before the final dot of any.
    ///
    /// Those in shards that are no longer ours are left out, and do not hold up the others. Throws `staleEpoch` if none
    /// is ours.
    ///
    /// - Returns: the entries whose attempt is on record. One that is missing is no longer ours or no longer there, or its
    ///   attempt is on record already: forget it. (So is one whose COMMIT was repeated because the answer was lost; it then
    ///   counts as interrupted.)
    @concurrent public func openAttempts(
        _ attempts: [(entry: QueueEntry, epoch: Epoch)]
    ) async throws(QueueStoreError) -> Set<EntryKey> {
        try await Self.open(attempts) { attempts async throws(QueueStoreError) in
            try await self.openTogether(attempts)
        }
    }

    /// Has attempts put on record by `together`, which puts all on record or none: without those whose shards are lost.
    static func open(
        _ attempts: [(entry: QueueEntry, epoch: Epoch)],
        together: ([(entry: QueueEntry, epoch: Epoch)]) async throws(QueueStoreError) -> Set<EntryKey>
    ) async throws(QueueStoreError) -> Set<EntryKey> {
        var attempts = attempts
        while !attempts.isEmpty {
            do throws(QueueStoreError) {
                return try await together(attempts)
            } catch {
                let stale = error.staleTerms
                let others = attempts.filter {
                    !stale.contains(ShardTerm(shard: $0.entry.key.shard, epoch: $0.epoch))
                }
                guard !others.isEmpty, others.count < attempts.count else { throw error }
                attempts = others
            }
        }
        return []
    }

    /// Puts all on record or none, in one transaction. All shards must be ours.
    func openTogether(
        _ attempts: [(entry: QueueEntry, epoch: Epoch)]
    ) async throws(QueueStoreError) -> Set<EntryKey> {
        // Rows are locked in the order of their keys by all transactions, so that none wait for each other in a circle.
        let attempts = attempts.sorted { $0.entry.key.isLocked(before: $1.entry.key) }
        let keys = attempts.map(\.entry.key)
        let results = try await self.pool.idempotently([
            Self.fence(Set(attempts.map { ShardTerm(shard: $0.entry.key.shard, epoch: $0.epoch) })),
            Statement(
                """
                INSERT INTO relay.open_attempt AS o (shard, message_id, domain, node, epoch, attempt)
                SELECT r.shard, r.message_id, r.domain, $6, g.epoch, r.attempts + 1
                FROM unnest($1, $2, $3, $4, $5) AS g (shard, message_id, domain, epoch, attempts)
                CROSS JOIN LATERAL (
                    SELECT * FROM relay.ready r WHERE r.shard = g.shard AND r.message_id = g.message_id
                        AND r.domain = g.domain AND r.attempts = g.attempts AND r.verdict IS NULL
                    -- The row cannot be taken away by a late outcome of a former owner until this is committed.
                    OFFSET 0 FOR KEY SHARE OF r) AS r
                ON CONFLICT (shard, message_id, domain) DO UPDATE SET node = excluded.node, epoch = excluded.epoch,
                    attempt = excluded.attempt, opened_at = clock_timestamp()
                -- One attempt is opened once, so that it cannot be made twice.
                WHERE (o.epoch, o.attempt) <> (excluded.epoch, excluded.attempt)
                RETURNING o.shard, o.message_id, o.domain
                """, keys.map(\.shard.rawValue), keys.map(\.message.uuid), keys.map(\.domain.text),
                attempts.map(\.epoch.rawValue), attempts.map { Int32(clamping: $0.entry.attempts) }, self.node),
        ])
        var opened: Set<EntryKey> = []
        for row in results[1].rows {
            opened.insert(
                EntryKey(
                    shard: Shard(rawValue: try row.value(0)), message: MessageID(try row.value(1)),
                    domain: try row.domain(2)))
        }
        return opened
    }

    /// Records outcomes, all in one transaction: fence, entries, bodies, open attempts, trace and notifications.
    ///
    /// If shards were lost, the others' outcomes are recorded by one more transaction. If an entry was changed, parts are tried,
    /// and then each by itself.
    ///
    /// - Returns: a result for each, in order. `staleEpoch`: if it was delivered, try `recordLateDelivery`.
    ///   `entryChanged`: the entry has an outcome already; forget it. Otherwise it is not recorded: try again.
    @concurrent public func recordOutcomes(_ outcomes: [RecordedOutcome]) async -> [Result<Void, QueueStoreError>] {
        await OutcomeRepetition.record(outcomes) { await self.recordTogether($0) }
    }

    /// Records all or nothing, in one transaction that is tried once.
    func recordTogether(_ outcomes: [RecordedOutcome]) async -> Result<Void, PostgresError> {
        do throws(PostgresError) {
            try await self.pool.pipeline(OutcomeBatch(outcomes, map: self.shardMap, node: self.node).statements)
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// Records that an entry was delivered by an attempt of ours, although the shard has another owner by now.
    ///
    /// It needs no fence. It holds as long as our attempt is still the entry's latest, which the new owner, too, checks
    /// before each attempt of its own.
    ///
    /// - Parameters:
    ///   - outcome: what was delivered. The entry goes where nobody is left, whatever its result says.
    ///   - undelivered: the recipients that stay with the entry, for the new owner to try again.
    /// - Returns: whether it was recorded. If not, the new owner has begun an attempt, and a second copy may arrive.
    @concurrent public func recordLateDelivery(
        _ outcome: RecordedOutcome, undelivered: [QueueRecipient] = []
    ) async throws(QueueStoreError) -> Bool {
        let statements = LateDelivery(outcome, undelivered: undelivered, map: self.shardMap, node: self.node)
            .statements
        do throws(QueueStoreError) {
            try await self.pool.idempotently(statements)
            return true
        } catch  where error.code == .entryChanged {
            return false
        }
    }
}
