import ClusterModel
import MailModel
import PostgresDriver

/// What an operator can do to entries.
public enum QueueAction: String, Hashable, Sendable, CaseIterable {
    /// Keep them from being tried, and from expiring, until they are released. It takes back a `fail` not yet carried
    /// out.
    case hold
    /// Let go what is held, due at once.
    case release
    /// Make them due at once, and have their destinations tried again, too, if these are in backoff. All that leads to
    /// their hosts is looked up anew.
    case retry
    /// Have their owner give them up, with all that belongs to it: report, trace and metrics.
    case fail
    /// Remove them without a word to their senders.
    case drop

    /// Where there are entries to which it can be done, in the order in which it is done.
    ///
    /// What is brought back in the middle of it is found in `ready`, and what a failed attempt defers, in the second
    /// look at `deferred`.
    func passes(_ selection: QueueSelection) -> [QueueListing.Place] {
        let all: [QueueListing.Place] =
            switch self {
            case .hold, .retry: [.deferred, .ready, .deferred]
            case .release: [.held]
            case .fail, .drop: [.held, .deferred, .ready, .deferred]
            }
        return all.filter(selection.places.contains)
    }

    /// Whether it can be done to an entry that is not in delivery.
    fileprivate func applies(to entry: QueueListing) -> Bool { self != .fail || entry.verdict == nil }
}

/// What an action came to.
public struct QueueActionCount: Hashable, Sendable {
    /// Entries to which it was done, or would be.
    public var affected = 0
    /// Entries that were selected and in delivery, and so were not changed.
    public var inDelivery = 0

    /// Nothing yet.
    public init() {}
}

extension QueueAdministration {
    /// How many entries one transaction changes.
    private static let batch = 500

    /// What an action would come to now. Nothing is changed.
    public func count(
        _ action: QueueAction, _ selection: QueueSelection
    ) async throws(QueueStoreError) -> QueueActionCount {
        var count = QueueActionCount()
        let moment = try await self.databaseTime()
        for place in QueueListing.Place.allCases where action.passes(selection).contains(place) {
            try await self.walk(selection, at: moment, in: place) { (entries) throws(QueueStoreError) in
                for entry in entries {
                    if entry.isOnRecord {
                        count.inDelivery += 1
                    } else if action.applies(to: entry) {
                        count.affected += 1
                    }
                }
            }
        }
        return count
    }

    /// Does something to all entries that are selected and not in delivery, in batches. Each is committed by itself,
    /// and an interrupted command can be run again.
    ///
    /// - Parameters:
    ///   - actor: who does it, for the record.
    ///   - reason: why, for the record; `fail` also tells the sender.
    ///   - progress: is told after each batch how many entries have been looked at.
    /// - Returns: what the record says that was done.
    public func perform(
        _ action: QueueAction, on selection: QueueSelection, by actor: String, because reason: String?,
        progress: (Int) -> Void = { _ in }
    ) async throws(QueueStoreError) -> QueueActionCount {
        // What the operation itself makes due, and the destinations that it has tried again, count as they were before.
        let moment = try await self.databaseTime()
        var generator = SystemRandomNumberGenerator()
        let operation = PostgresUUID(high: generator.next(), low: generator.next())
        try await self.pool.idempotently([
            Statement(
                "SELECT relay.begin_administration($1, $2, $3, $4, $5)", operation, action.rawValue, actor.storable,
                "\(selection)".storable, reason?.storable)
        ])
        var seen = 0
        var batch: Int32 = 0
        for place in action.passes(selection) {
            try await self.walk(selection, at: moment, in: place) { (entries) throws(QueueStoreError) in
                batch += 1
                try await self.administer(
                    entries, in: place, operation, batch: batch,
                    flush: action == .retry
                        ? Self.flush(operation, "route", entries.map(\.key.domain.text), actor, reason) : nil)
                seen += entries.count
                progress(seen)
            }
        }
        let results = try await self.pool.idempotently([
            Statement("SELECT affected, in_delivery FROM relay.finish_administration($1)", operation)
        ])
        let row = try QueueStore.only(results[0])
        var count = QueueActionCount()
        count.affected = Int(try row.value(0, as: Int64.self))
        count.inDelivery = Int(try row.value(1, as: Int64.self))
        return count
    }

    /// Its number keeps a batch that is repeated, because the answer was lost, from being done twice.
    ///
    /// - Parameter flush: done in the same transaction: whoever sees the entries due sees it, too.
    private func administer(
        _ entries: [QueueListing], in place: QueueListing.Place, _ operation: PostgresUUID, batch: Int32,
        flush: Statement?
    ) async throws(QueueStoreError) {
        let keys = entries.map(\.key)
        let change = Statement(
            "SELECT relay.administer($1, $2, $3, $4, $5, $6)", operation, batch, place.rawValue,
            keys.map(\.shard.rawValue), keys.map(\.message.uuid), keys.map(\.domain.text))
        try await self.pool.idempotently([change] + [flush].compactMap(\.self))
    }

    /// Goes through one table page by page.
    ///
    /// - Parameter moment: what waits for a later time is deferred.
    private func walk(
        _ selection: QueueSelection, at moment: Timestamp, in place: QueueListing.Place,
        _ body: ([QueueListing]) async throws(QueueStoreError) -> Void
    ) async throws(QueueStoreError) {
        for part in selection.parts {
            let statement = QueuePageStatement(
                part, at: moment, in: [place], span: Self.batch, isDetailed: false)
            var cursor: QueueCursor?
            repeat {
                let page = try await self.page(statement, after: cursor)
                if !page.entries.isEmpty { try await body(page.entries) }
                cursor = page.next
            } while cursor != nil
        }
    }
}
