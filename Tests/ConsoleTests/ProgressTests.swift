import Console
import DeliveryQueue
import LabSupport
import MailModel
import QueueStore
import Synchronization
import Testing

@Suite("Progress of long actions")
struct ProgressTests {
    @Test("A line tells how many entries have been seen, each ten seconds and no sooner")
    func lines() async throws {
        let clock = ManualClock()
        let said = Mutex<[String]>([])
        let terminal = ConsoleTerminal(
            write: { _ in }, isShown: false, say: { line in said.withLock { $0.append(line) } }, confirm: nil)
        // A batch each four seconds.
        let queue = SlowQueue(clock, pause: .seconds(4), batches: 8)
        let console = QueueConsole(queue: queue, format: .table, terminal: terminal, time: clock)
        var selection = EntrySelection()
        selection.domains = ["bravo.test"]
        try await console.perform(ActionRequest(.hold, selection, by: "test"))
        #expect(
            said.withLock { $0 }.filter { $0.hasSuffix(" entries so far") } == [
                "3 entries so far", "6 entries so far",
            ])
    }
}

/// A queue whose batches take their time: one entry in each.
private struct SlowQueue: QueueOperations {
    private let clock: ManualClock
    private let pause: Duration
    private let batches: Int

    init(_ clock: ManualClock, pause: Duration, batches: Int) {
        self.clock = clock
        self.pause = pause
        self.batches = batches
    }

    func now() -> Timestamp { self.clock.date }

    func perform(
        _ action: QueueAction, on selection: QueueSelection, by actor: String, because reason: String?,
        progress: (Int) -> Void
    ) -> QueueActionCount {
        for batch in 1...self.batches {
            self.clock.advance(by: self.pause)
            progress(batch)
        }
        return QueueActionCount()
    }

    // MARK: - What nobody asks

    private static let unasked = ConsoleFailure(.failed, "nobody asks that")

    func page(
        of selection: QueueSelection, after cursor: QueueCursor?, span: Int, order: QueueOrder
    ) throws(ConsoleFailure) -> QueuePage { throw Self.unasked }

    func message(_ id: MessageID) throws(ConsoleFailure) -> StoredMessage? { throw Self.unasked }

    func trace(of message: MessageID) throws(ConsoleFailure) -> [TraceEvent] { throw Self.unasked }

    func read(
        _ message: StoredMessage, _ take: ([UInt8]) throws(ConsoleFailure) -> Bool
    ) throws(ConsoleFailure) { throw Self.unasked }

    func overview() throws(ConsoleFailure) -> QueueOverview { throw Self.unasked }

    func census(domains: Int) throws(ConsoleFailure) -> QueueCensus { throw Self.unasked }

    func shape(of states: Set<QueueListing.State>, domains: Int) throws(ConsoleFailure) -> QueueShape {
        throw Self.unasked
    }

    func count(_ action: QueueAction, _ selection: QueueSelection) throws(ConsoleFailure) -> QueueActionCount {
        throw Self.unasked
    }

    func flush(_ flush: DNSFlush, by actor: String, because reason: String?) throws(ConsoleFailure) {
        throw Self.unasked
    }

    func rules() throws(ConsoleFailure) -> [QueueRule] { throw Self.unasked }

    func make(
        _ action: QueueRule.Action, _ scope: QueueRule.Scope, until end: QueueRuleEnd, by actor: String,
        because reason: String
    ) throws(ConsoleFailure) -> QueueRule { throw Self.unasked }

    func lift(_ ids: [Int64], by actor: String, because reason: String?) throws(ConsoleFailure) { throw Self.unasked }
}
