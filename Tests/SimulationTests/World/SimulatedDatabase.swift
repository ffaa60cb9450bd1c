import MailModel

/// The one database: it executes transactions one after the other, by its own clock, and keeps a record of them.
final class SimulatedDatabase {
    private let world: World
    private let witness: Witness
    private(set) var store: ModelStore
    private(set) var history: [StoreRecord] = []
    /// How often it was started; a connection does not outlive it.
    private(set) var starts = 1
    private(set) var isDown = false
    /// Its disk: leases are renewed in place, and nothing new can be stored.
    var isFull = false { didSet { if self.isFull != oldValue { self.world.note("disk full: \(self.isFull)") } } }
    private var clockOffset = Duration.zero

    private static let birth = Timestamp(seconds: 1_800_000_000)

    init(world: World, scenario: Scenario, witness: Witness, broken: BrokenRule?) {
        self.world = world
        self.witness = witness
        self.store = ModelStore(map: scenario.map, terms: scenario.terms, broken: broken)
    }

    /// By its own clock, which faults set.
    var now: Timestamp { Self.birth + self.clockOffset + (self.world.now - MonotonicInstant(nanoseconds: 0)) }

    /// Whether what the transaction writes fits.
    func hasCapacity(for transaction: StoreTransaction) -> Bool { !self.isFull || !transaction.takesSpace }

    func execute(_ transaction: StoreTransaction, by client: StoreClient) -> StoreAnswer {
        let answer = self.store.perform(transaction, by: client, at: self.now)
        let record = StoreRecord(at: self.now, client: client, transaction: transaction, answer: answer)
        self.history.append(record)
        self.world.note("\(client) \(transaction) → \(answer)")
        self.witness.executed(record, store: self.store)
        return answer
    }

    // MARK: - Faults

    func goDown() {
        self.isDown = true
        self.world.note("database down")
    }

    func comeUp() {
        guard self.isDown else { return }
        self.isDown = false
        self.starts += 1
        self.world.note("database up")
    }

    func jump(by offset: Duration) {
        self.clockOffset += offset
        self.witness.clockJumped(by: offset)
        self.world.note("database clock jumps by \(offset)")
    }
}
