import ClusterModel
import DeliveryQueue
import MailModel

@testable import Delivery
@testable import PostgresDriver
@testable import QueueStore

/// The queue as deliveries of a node see it: transactions over its link, repeated as `QueueStore` repeats them.
///
/// Here the rules are broken that a store keeps for a node.
final class SimulatedStore: DeliveryStore, @unchecked Sendable {
    let terms: LeaseTerms
    private unowned let node: SimulatedNode

    init(_ node: SimulatedNode) {
        self.node = node
        self.terms = node.scenario.terms
    }

    private var broken: BrokenRule? { self.node.surroundings.broken }
    private var witness: Witness { self.node.witness }

    private func perform(_ transaction: StoreTransaction) async throws(QueueStoreError) -> StoreAnswer {
        try await Retrying.idempotently { () async throws(PostgresError) -> StoreAnswer in
            try await self.node.link.send(transaction).get()
        }
    }

    // MARK: - What is due

    func latelyDue(
        _ terms: [ShardTerm], since moment: Timestamp?, limit: Int
    ) async throws(QueueStoreError) -> LatelyDue {
        guard case .lately(let due, let moment) = try await self.perform(.lately(terms, since: moment)) else {
            throw .unexpected
        }
        return LatelyDue(due: due, moment: moment)
    }

    /// Pages are small, so that walks go on.
    func dueDestinations(
        _ terms: [ShardTerm], after cursor: DueCursor?, limit: Int
    ) async throws(QueueStoreError) -> DuePage {
        let walk = StoreTransaction.walk(terms, after: cursor, limit: self.node.scenario.walkPage)
        guard case .walked(let due, let cursor) = try await self.perform(walk) else { throw .unexpected }
        return DuePage(due: due, cursor: cursor)
    }

    func promoteDeferred(
        _ term: ShardTerm, within horizon: Duration, limit: Int
    ) async throws(QueueStoreError) -> Int {
        guard case .promoted(let count) = try await self.perform(.promote(term)) else { throw .unexpected }
        return count
    }

    // MARK: - One destination

    func claim(
        _ term: ShardTerm, destination: DomainName, after cursor: ClaimCursor?, maximumCount: Int, maximumBytes: Int
    ) async throws(QueueStoreError) -> Claim {
        try await self.read(.claim(term, destination, after: cursor, count: maximumCount), in: term)
    }

    func overdueEntries(
        _ term: ShardTerm, destination: DomainName, _ criteria: OverdueCriteria, after cursor: ClaimCursor?,
        maximumCount: Int, lookedAt: Int
    ) async throws(QueueStoreError) -> Claim {
        try await self.read(.overdue(term, destination, criteria, after: cursor), in: term)
    }

    private func read(_ transaction: StoreTransaction, in term: ShardTerm) async throws(QueueStoreError) -> Claim {
        guard case .claimed(let page) = try await self.perform(transaction) else { throw .unexpected }
        let isFresh = self.broken == .interruptedIsFresh
        return Claim(
            entries: page.entries.map { $0.told(self.node.tag($0, in: term), isFresh: isFresh) }, unreadable: [],
            cursor: page.cursor, backoff: self.broken == .rowIgnored ? nil : page.backoff,
            isBackoffInForce: page.isBackoffInForce)
    }

    /// Asked for while an operator has suspended deliveries, which happens in no simulation.
    func backoff(
        _ term: ShardTerm, destination: DomainName
    ) async throws(QueueStoreError) -> DestinationBackoff? {
        throw .unexpected
    }

    /// All entries can be read.
    func holdBack(
        _ entries: [UnreadableEntry], in term: ShardTerm, for pause: Duration
    ) async throws(QueueStoreError) {
        throw .unexpected
    }

    // MARK: - Attempts and outcomes

    func body(of key: EntryKey) -> any MessageBody { SimulatedBody() }

    func openAttempts(
        _ attempts: [(entry: QueueEntry, epoch: Epoch)]
    ) async throws(QueueStoreError) -> Set<EntryKey> {
        if self.broken == .unrecordedFinalDot {
            let openings = attempts.map { AttemptOpening(entry: $0.entry, epoch: $0.epoch) }
            _ = try? await self.perform(.open(openings))
            return Set(attempts.map(\.entry.key))
        }
        return try await QueueStore.open(attempts) { attempts async throws(QueueStoreError) in
            let openings = attempts.map { AttemptOpening(entry: $0.entry, epoch: $0.epoch) }
            guard case .opened(let keys) = try await self.perform(.open(openings)) else { throw .unexpected }
            return keys
        }
    }

    func recordOutcomes(_ outcomes: [RecordedOutcome]) async -> [Result<Void, QueueStoreError>] {
        let outcomes = self.broken == .reportForgotten ? outcomes.map(\.withoutReports) : outcomes
        let results = await OutcomeRepetition.record(outcomes) {
            await self.node.link.send(.recordOutcomes($0)).map { _ in () }
        }
        return zip(outcomes, results).map { outcome, result in self.told(result, of: outcome) }
    }

    private func told(
        _ result: Result<Void, QueueStoreError>, of outcome: RecordedOutcome
    ) -> Result<Void, QueueStoreError> {
        let name = AttemptName(of: outcome.entry, epoch: outcome.epoch, by: self.node.client)
        guard case .failure(let error) = result else {
            self.witness.believedRecorded(name)
            return result
        }
        if [.entryChanged, .staleEpoch].contains(error.code) {
            self.witness.refused()
            guard error.code == .staleEpoch else { return result }
            self.witness.cameTooLate(outcome, name)
            if self.broken == .lateDeliveryForgotten {
                return .failure(QueueStoreError(.entryChanged, "another owner's"))
            }
        } else if self.broken == .outcomeForgotten {
            self.witness.forgotten(name)
            return .failure(QueueStoreError(.entryChanged, "forgotten"))
        }
        return result
    }

    func recordLateDelivery(
        _ outcome: RecordedOutcome, undelivered: [QueueRecipient]
    ) async throws(QueueStoreError) -> Bool {
        self.witness.addsLate(
            AttemptName(of: outcome.entry, epoch: outcome.epoch, by: self.node.client))
        let answer = try await self.perform(.deliverLate(outcome, undelivered: undelivered))
        return answer == .late(isRecorded: true)
    }
}

/// What is written says nothing: the world knows messages by their names.
private struct SimulatedBody: MessageBody {
    private var isRead = false

    mutating func next() async throws(QueueStoreError) -> [UInt8]? {
        defer { self.isRead = true }
        return self.isRead ? nil : Array("Subject: simulated\r\n\r\n".utf8)
    }
}

extension QueueStoreError {
    /// An answer to something else.
    static var unexpected: QueueStoreError { QueueStoreError(.unreadable, "unexpected") }
}

extension RecordedOutcome {
    fileprivate var withoutReports: RecordedOutcome {
        var outcome = self
        outcome.notifications = []
        return outcome
    }
}

extension QueueEntry {
    /// The entry as the node is told of it: with a name for the attempt, which the host will see in ENVID.
    ///
    /// - Parameter isFresh: nothing is told of an attempt that was interrupted.
    fileprivate func told(_ tag: String, isFresh: Bool) -> QueueEntry {
        var attributes = self.attributes
        attributes.envelopeID = tag
        return QueueEntry(
            key: self.key, sender: self.sender, attributes: attributes, size: self.size, arrival: self.arrival,
            nextAttempt: self.nextAttempt, attempts: self.attempts, recipients: self.recipients,
            isDelayNotified: self.isDelayNotified, lastStatus: self.lastStatus, lastReason: self.lastReason,
            openAttempt: isFresh ? nil : self.openAttempt, verdict: self.verdict)
    }
}
