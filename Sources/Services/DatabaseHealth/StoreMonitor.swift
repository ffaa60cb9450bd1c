package import Logging
package import MailModel
package import QueueStore
import ServiceLifecycle
package import ServiceSupport
import Synchronization
package import Telemetry

/// Gathers what all parts of the node experience with the database, makes the storage checks, and says what follows.
package final class StoreMonitor: Service {
    private let checkStorage: @Sendable (Int) async throws(QueueStoreError) -> Void
    private let health: HealthRegistry
    private let time: any NodeClock
    private let logger: Logger
    private let state = Mutex(StoreHealth())
    /// Changed under the lock of the state, for those who ask for each message.
    private let isOpenNow = Atomic<Bool>(true)
    /// One waiting signal says all that more could say.
    private let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameter checkStorage: shows that so many pieces of mail fit.
    package init(
        checkStorage: @escaping @Sendable (Int) async throws(QueueStoreError) -> Void, health: HealthRegistry,
        time: any NodeClock, logger: Logger
    ) {
        self.time = time
        self.checkStorage = checkStorage
        self.health = health
        self.logger = logger
    }

    /// Whether mail may be accepted, and attempts may begin. It takes no lock.
    package var isOpen: Bool { self.isOpenNow.load(ordering: .relaxed) }

    /// What a client hears that wants to send mail now; `nil` while it may.
    package var refusal: SMTPReply? { self.isOpen ? nil : Self.notNow }

    private static let notNow = SMTPReply(
        451, EnhancedStatusCode(.persistentTransientFailure, 3, 0), "Queue is not available, try later")

    /// Takes note of what somebody experienced.
    package func report(_ event: StoreHealth.Event) {
        let (change, news) = self.state.withLock { state in
            let change = state.handle(event, at: self.time.now)
            self.isOpenNow.store(state.isOpen, ordering: .relaxed)
            return (change, state.news())
        }
        if let news { self.health.set(.database, news.problem.map { .failing($0) } ?? .passing, turn: news.turn) }
        switch change {
        case .none: ()
        case .broke(let fault):
            self.logger.error("database is not well: mail waits", metadata: ["reason": "\(fault)"])
        case .recovered(let time):
            self.logger.notice("database is well again", metadata: ["after": "\(time)"])
        }
        if case .failed = event { self.signal.yield() }
    }

    /// Takes note of an error of the store, if it says anything about the database.
    package func report(_ error: QueueStoreError) {
        if let fault = StoreFault(error) { self.report(.failed(fault)) }
    }

    package func run() async throws { await self.run(until: .graceful) }

    /// Makes storage checks until this shutdown.
    package func run(until shutdown: Shutdown) async {
        await shutdown.cancels {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while !Task.isCancelled {
                        self.signal.yield()
                        try? await self.time.sleep(for: StoreHealth.checkInterval)
                    }
                }
                for await _ in self.signals {
                    guard let pieces = self.state.withLock({ $0.dueCheck(at: self.time.now) }) else { continue }
                    await self.check(pieces)
                }
            }
        }
    }

    private func check(_ pieces: Int) async {
        do throws(QueueStoreError) {
            try await self.checkStorage(pieces)
            self.report(.checked)
        } catch {
            // Whatever kept the check from being committed would keep mail, too.
            self.report(.checkFailed(StoreFault(error) ?? StoreFault(.refused, error.message)))
        }
    }
}
