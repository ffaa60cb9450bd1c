import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

// MARK: - Attempts and outcomes

extension ModelStore {
    mutating func open(
        _ attempts: [AttemptOpening], by client: StoreClient, at now: Timestamp
    ) throws(Refusal) -> StoreAnswer {
        try self.fence(attempts.map { ShardTerm(shard: $0.entry.key.shard, epoch: $0.epoch) })
        var opened: Set<EntryKey> = []
        for attempt in attempts {
            let key = attempt.entry.key
            guard let row = self.entries[key], !row.isDeferred, row.attempts == attempt.entry.attempts else { continue }
            let new = OpenAttempt(
                node: client.name, epoch: attempt.epoch, attempt: row.attempts + 1, openedAt: now)
            // One attempt is opened once, so that it cannot be made twice.
            if let old = self.attempts[key], old.epoch == new.epoch, old.attempt == new.attempt { continue }
            self.attempts[key] = new
            opened.insert(key)
        }
        return .opened(opened)
    }

    mutating func recordOutcomes(_ outcomes: [RecordedOutcome], at now: Timestamp) throws(Refusal) -> StoreAnswer {
        try self.fence(outcomes.map(\.term))
        for outcome in outcomes {
            let entry = outcome.entry
            guard let row = self.entries[entry.key], !row.isDeferred, row.attempts == entry.attempts else {
                throw Refusal(code: .entryChanged)
            }
            switch outcome.result {
            case .removed: self.remove(entry.key)
            case .retry: self.retry(entry.key, row, outcome.result, at: now)
            }
            self.close(outcome)
            self.write(outcome)
            for message in outcome.notifications { self.enqueue(message, at: now) }
        }
        return .done
    }

    private mutating func retry(_ key: EntryKey, _ row: EntryRow, _ result: RecordedOutcome.Result, at now: Timestamp) {
        guard case .retry(let at, let recipients, let failure, let isDelayNotified) = result else { return }
        self.count(row, by: -1)
        var row = row
        row.attempts += 1
        row.nextAttempt = at
        row.recipients = recipients
        row.isDelayNotified = isDelayNotified
        row.lastStatus = "\(failure.status)"
        row.lastReason = failure.reason.name
        row.isDeferred = at >= now + .seconds(59 * 60)
        self.count(row, by: 1)
        self.entries[key] = row
    }

    /// An attempt of an earlier term stays on record with an entry that is tried again.
    private mutating func close(_ outcome: RecordedOutcome) {
        let key = outcome.entry.key
        guard let open = self.attempts[key] else { return }
        let isRemoved = if case .removed = outcome.result { true } else { false }
        if isRemoved || open.epoch == outcome.epoch { self.attempts[key] = nil }
    }

    /// Of several changes of one destination the last counts.
    private mutating func write(_ outcome: RecordedOutcome) {
        let key = outcome.entry.key
        let destination = DueEntry(shard: key.shard, destination: key.domain)
        switch outcome.destinationChange {
        case .blocked(let backoff): self.backoffs[destination] = backoff.asStored
        case .opened: self.backoffs[destination] = nil
        case nil: ()
        }
    }

    private mutating func remove(_ key: EntryKey) {
        guard let row = self.entries.removeValue(forKey: key) else { return }
        self.count(row, by: -1)
        self.messages[MessageKey(shard: key.shard, message: key.message)]?.remaining -= 1
    }

    /// Holds as long as the attempt is the entry's latest.
    mutating func deliverLate(
        _ outcome: RecordedOutcome, undelivered: [QueueRecipient], by client: StoreClient, at now: Timestamp
    ) -> StoreAnswer {
        let entry = outcome.entry
        let isLatest =
            self.attempts[entry.key].map {
                $0.node == client.name && $0.epoch == outcome.epoch && $0.attempt == entry.attempts + 1
            } ?? false
        guard isLatest || self.broken == .lateDeliveryUnchecked else { return .late(isRecorded: false) }
        self.attempts[entry.key] = nil
        if undelivered.isEmpty {
            self.remove(entry.key)
        } else {
            self.entries[entry.key]?.recipients = undelivered
            self.entries[entry.key]?.attempts += 1
        }
        for message in outcome.notifications { self.enqueue(message, at: now) }
        return .late(isRecorded: true)
    }
}

extension DestinationBackoff {
    /// What a store keeps of it: the failure's text as a whole, and no digits of a reply.
    fileprivate var asStored: DestinationBackoff {
        let failure = DeliveryFailure(
            failureClass: self.failure.failureClass, status: self.failure.status, reason: self.failure.reason,
            text: self.failure.text, reply: self.failure.reply, host: self.failure.host)
        return DestinationBackoff(failure: failure, failures: self.failures, since: self.since, until: self.until)
    }
}
