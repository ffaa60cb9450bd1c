import ClusterModel

@testable import PostgresDriver
@testable import QueueStore

/// A node's way to the database. What may go wrong on it is what may go wrong with a connection. The request is lost,
/// or it is executed and the reply is lost, or it is executed when nobody waits for it any more.
final class DatabaseLink {
    enum State: CaseIterable { case good, slow, flaky, cut }

    /// What becomes of one request.
    private enum Fate {
        case answered(there: Duration, back: Duration)
        /// No connection; nothing was sent.
        case unreachable(after: Duration)
        /// It never arrived.
        case lost(PostgresError.Code, after: Duration)
        /// Its answer never comes.
        case unanswered(executedAfter: Duration, noticedAfter: Duration)
    }

    private unowned let process: SimulatedProcess
    private let world: World
    private let database: SimulatedDatabase
    private let client: StoreClient
    private let unit: Duration
    var state = State.good

    init(_ process: SimulatedProcess, client: StoreClient, database: SimulatedDatabase, unit: Duration) {
        self.process = process
        self.world = process.world
        self.database = database
        self.client = client
        self.unit = unit
    }

    /// Sends a transaction once.
    func send(_ transaction: StoreTransaction) async -> Result<StoreAnswer, PostgresError> {
        await self.process.value(orEnd: .failure(Self.error(.shutDown))) { self.send(transaction, $0) }
    }

    func send(_ transaction: StoreTransaction, _ then: @escaping (Result<StoreAnswer, PostgresError>) -> Void) {
        switch self.fate() {
        case .unreachable(let wait):
            self.fail(.acquireTimeout, after: wait, then)
        case .lost(let code, let wait):
            self.fail(code, after: wait, then)
        case .answered(let there, let back):
            self.world.after(there) { self.arrive(transaction, back: back, then) }
        case .unanswered(let execution, let wait):
            self.world.note("\(self.client) will not hear of: \(transaction)")
            self.world.after(execution) {
                guard !self.database.isDown, self.database.hasCapacity(for: transaction) else { return }
                _ = self.database.execute(transaction, by: self.client)
            }
            self.fail(.ambiguousCommit, after: wait, then)
        }
    }

    private func arrive(
        _ transaction: StoreTransaction, back: Duration, _ then: @escaping (Result<StoreAnswer, PostgresError>) -> Void
    ) {
        guard !self.database.isDown else {
            return self.fail(self.world.chance(30) ? .connectionLost : .cannotConnect, after: .zero, then)
        }
        guard self.database.hasCapacity(for: transaction) else { return self.fail(.diskFull, after: back, then) }
        let starts = self.database.starts
        let answer = self.database.execute(transaction, by: self.client)
        self.world.after(back) {
            // A server that ends takes its answers with it.
            let isConnected = starts == self.database.starts && !self.database.isDown
            self.process.take { then(isConnected ? Self.result(answer) : .failure(Self.error(.ambiguousCommit))) }
        }
    }

    private func fail(
        _ code: PostgresError.Code, after wait: Duration,
        _ then: @escaping (Result<StoreAnswer, PostgresError>) -> Void
    ) {
        self.process.after(wait) { then(.failure(Self.error(code))) }
    }

    private func fate() -> Fate {
        let soon = self.unit / 200
        switch self.state {
        case .good: return self.answered(within: self.unit / 50)
        case .slow: return self.answered(within: self.unit * 4)
        case .cut:
            // The pool gives up a connection that does not answer, and then finds no other.
            return self.world.chance(50)
                ? .unreachable(after: self.unit * 5) : .lost(.ambiguousCommit, after: self.unit * 10)
        case .flaky:
            switch self.world.int(0...9) {
            case 0: return .unreachable(after: self.unit * 5)
            case 1: return .lost(.connectionLost, after: soon)
            case 2: return .lost(.ambiguousCommit, after: soon)
            case 3, 4: return .unanswered(executedAfter: soon, noticedAfter: soon * 2)
            // The server finds it in its buffers only later, when the connection is long gone.
            case 5:
                return .unanswered(
                    executedAfter: self.world.duration(soon...self.unit * 12), noticedAfter: soon)
            default: return self.answered(within: self.unit)
            }
        }
    }

    private func answered(within most: Duration) -> Fate {
        let least = self.unit / 1000
        return .answered(there: self.world.duration(least...most), back: self.world.duration(least...most))
    }

    private static func error(_ code: PostgresError.Code) -> PostgresError { PostgresError(code, "simulated") }

    /// As the schema's functions refuse.
    private static func result(_ answer: StoreAnswer) -> Result<StoreAnswer, PostgresError> {
        switch answer {
        case .refused(.staleEpoch, let stale):
            .failure(
                PostgresError(
                    sqlState: "RL001", message: "simulated",
                    detail: stale.map { "\($0.shard.rawValue)/\($0.epoch.rawValue)" }.joined(separator: " ")))
        case .refused(.entryChanged, _): .failure(PostgresError(sqlState: "RL003", message: "simulated"))
        default: .success(answer)
        }
    }
}
