import ClusterModel
import DeliveryQueue
import MailModel
import QueueStore

/// What deliveries need of the queue's store; `QueueStore` says what each promises.
protocol DeliveryStore: Sendable {
    var terms: LeaseTerms { get }

    // What is due.
    func latelyDue(
        _ terms: [ShardTerm], since moment: Timestamp?, limit: Int
    ) async throws(QueueStoreError) -> LatelyDue
    func dueDestinations(
        _ terms: [ShardTerm], after cursor: DueCursor?, limit: Int
    ) async throws(QueueStoreError) -> DuePage
    func promoteDeferred(
        _ term: ShardTerm, within horizon: Duration, limit: Int
    ) async throws(QueueStoreError) -> Int

    // One destination.
    func claim(
        _ term: ShardTerm, destination: DomainName, after cursor: ClaimCursor?, maximumCount: Int, maximumBytes: Int
    ) async throws(QueueStoreError) -> Claim
    func overdueEntries(
        _ term: ShardTerm, destination: DomainName, _ criteria: OverdueCriteria, after cursor: ClaimCursor?,
        maximumCount: Int, lookedAt: Int
    ) async throws(QueueStoreError) -> Claim
    func backoff(
        _ term: ShardTerm, destination: DomainName
    ) async throws(QueueStoreError) -> DestinationBackoff?
    func holdBack(
        _ entries: [UnreadableEntry], in term: ShardTerm, for pause: Duration
    ) async throws(QueueStoreError)

    // Attempts and outcomes.
    func body(of key: EntryKey) -> any MessageBody
    func openAttempts(
        _ attempts: [(entry: QueueEntry, epoch: Epoch)]
    ) async throws(QueueStoreError) -> Set<EntryKey>
    func recordOutcomes(_ outcomes: [RecordedOutcome]) async -> [Result<Void, QueueStoreError>]
    func recordLateDelivery(
        _ outcome: RecordedOutcome, undelivered: [QueueRecipient]
    ) async throws(QueueStoreError) -> Bool
}

/// The body of a stored message, read piece by piece.
protocol MessageBody: Sendable {
    /// The next piece; `nil` at the end.
    mutating func next() async throws(QueueStoreError) -> [UInt8]?
}

extension BodyReader: MessageBody {}

extension QueueStore: DeliveryStore {
    func body(of key: EntryKey) -> any MessageBody { self.reader(of: key) }
}
