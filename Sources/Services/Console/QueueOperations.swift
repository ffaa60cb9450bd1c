public import DeliveryQueue
public import MailModel
public import QueueStore

/// What the console asks of a queue. `QueueDatabase` asks its database.
public protocol QueueOperations: Sendable {
    /// The clock by which ages are reckoned.
    func now() async throws(ConsoleFailure) -> Timestamp

    // MARK: Looking

    /// One page of the entries that are selected.
    func page(
        of selection: QueueSelection, after cursor: QueueCursor?, span: Int, order: QueueOrder
    ) async throws(ConsoleFailure) -> QueuePage
    /// What is known of a message; `nil` when nothing is stored.
    func message(_ id: MessageID) async throws(ConsoleFailure) -> StoredMessage?
    /// The life of a message, the earliest event first.
    func trace(of message: MessageID) async throws(ConsoleFailure) -> [TraceEvent]
    /// Reads the content of a message piece by piece, as long as `take` wants more.
    func read(
        _ message: StoredMessage, _ take: ([UInt8]) throws(ConsoleFailure) -> Bool
    ) async throws(ConsoleFailure)
    /// How much is in the queue, from running sums.
    func overview() async throws(ConsoleFailure) -> QueueOverview
    /// The same, counted, with so many of the longest queues.
    func census(domains: Int) async throws(ConsoleFailure) -> QueueCensus
    /// How old entries are, by domain; of all states where none is given.
    func shape(of states: Set<QueueListing.State>, domains: Int) async throws(ConsoleFailure) -> QueueShape

    // MARK: Changing

    /// What an action would come to now.
    func count(_ action: QueueAction, _ selection: QueueSelection) async throws(ConsoleFailure) -> QueueActionCount
    /// Does something to entries; `progress` is told after each batch how many have been looked at.
    func perform(
        _ action: QueueAction, on selection: QueueSelection, by actor: String, because reason: String?,
        progress: (Int) -> Void
    ) async throws(ConsoleFailure) -> QueueActionCount
    /// Has all nodes look something up anew.
    func flush(_ flush: DNSFlush, by actor: String, because reason: String?) async throws(ConsoleFailure)
    /// The standing rules in force.
    func rules() async throws(ConsoleFailure) -> [QueueRule]
    /// Makes a standing rule.
    func make(
        _ action: QueueRule.Action, _ scope: QueueRule.Scope, until end: QueueRuleEnd, by actor: String,
        because reason: String
    ) async throws(ConsoleFailure) -> QueueRule
    /// Lifts standing rules.
    func lift(_ ids: [Int64], by actor: String, because reason: String?) async throws(ConsoleFailure)
}
