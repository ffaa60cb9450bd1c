public import Logging
import Synchronization

/// A fixed number of connections to one database, each driven by a thread of its own.
///
/// Callers wait for a free connection in order, no longer than the settings allow and never more of them than allowed. A
/// broken connection is replaced with back-off, and its waiting callers do not notice. Cancelling the calling task has
/// no effect: whoever asked for a commit must learn what became of it, and deadlines bound the wait.
public final class PostgresPool: Sendable {
    /// Limits and addresses.
    public let settings: PoolSettings
    let logger: Logger
    private let state: Mutex<PoolState>
    private let timer = Wakeup()

    /// Starts to connect; errors show when statements run, and in the statistics.
    public init(_ settings: PoolSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
        self.state = Mutex(PoolState(size: settings.size, maximumWaiters: settings.maximumWaiters))
        for index in 0..<settings.size {
            let thread = ConnectionThread(index: index, pool: self)
            self.state.withLock { $0.threads.append(thread) }
            startThread("postgres-\(index)") { thread.run() }
        }
        startThread("postgres-timer") { [self] in self.expireWaiters() }
    }

    /// Runs statements as one implicit transaction: all of them, or none.
    ///
    /// They go out in one piece with a single Sync, and the answers come back together, one for each statement. `timeout`
    /// replaces the settings' statement timeout.
    @discardableResult
    public func pipeline(
        _ statements: [Statement], timeout: Duration? = nil
    ) async throws(PostgresError) -> [QueryResult] {
        try await self.submit(.pipeline(statements), timeout).get()
    }

    /// Runs one statement.
    @discardableResult
    public func query(_ statement: Statement, timeout: Duration? = nil) async throws(PostgresError) -> QueryResult {
        guard let result = try await self.pipeline([statement], timeout: timeout).first else {
            throw PostgresError(.badValue, "a statement without a result")
        }
        return result
    }

    /// Runs a text of several statements without parameters, as one transaction unless it says otherwise. For migrations.
    @discardableResult
    public func script(_ text: String, timeout: Duration? = nil) async throws(PostgresError) -> [QueryResult] {
        try await self.submit(.script(text), timeout).get()
    }

    /// What the pool is doing now.
    public var statistics: PoolStatistics { self.state.withLock { $0.statistics } }

    /// Refuses new work, fails what waits, and closes each connection when its work is done.
    public func shutDown() {
        let (jobs, threads) = self.state.withLock { $0.shutDown() }
        for thread in threads { thread.wakeup.signal() }
        self.timer.signal()
        for job in jobs { job.continuation.resume(returning: .failure(.init(.shutDown, "the pool is shut down"))) }
    }

    private func submit(_ work: Job.Work, _ timeout: Duration?) async -> Job.Outcome {
        await withCheckedContinuation { continuation in
            let now = ContinuousClock.now
            let job = Job(
                work: work, statementTimeout: timeout ?? self.settings.statementTimeout, submitted: now,
                acquireDeadline: now + self.settings.acquireTimeout, continuation: continuation)
            switch self.state.withLock({ $0.submit(job) }) {
            case .start(let thread): thread.wakeup.signal()
            case .wait(let isFirst): if isFirst { self.timer.signal() }
            case .refuse(let error): continuation.resume(returning: .failure(error))
            }
        }
    }

    /// The body of the timer thread.
    private func expireWaiters() {
        while true {
            let (expired, next, finished) = self.state.withLock { state in
                (state.expire(now: .now), state.waiting.first?.acquireDeadline, state.isShutDown)
            }
            for (job, error) in expired {
                self.settings.waited?(.now - job.submitted)
                job.continuation.resume(returning: .failure(error))
            }
            if finished { return }
            self.timer.wait(next.map { $0 - .now })
        }
    }

    // MARK: For the connections' threads

    func connected(_ index: Int, _ warning: String?) -> Job? {
        let (job, isNews) = self.state.withLock { state in (state.connected(index), state.isNews(warning)) }
        if let warning, isNews { self.logger.warning("\(warning)") }
        return job
    }
    func assigned(_ index: Int) -> Job? { self.state.withLock { $0.assigned[index] } }
    var isShutDown: Bool { self.state.withLock { $0.isShutDown } }
    func disconnected(_ index: Int, _ error: PostgresError?) {
        let wake = self.state.withLock { $0.disconnected(index, error) }
        if let thread = wake { thread.wakeup.signal() }
        // A job that went back into the line has a deadline, too.
        self.timer.signal()
    }
    func completed(_ index: Int, _ outcome: Job.Outcome, isReusable: Bool) -> Job? {
        self.state.withLock { $0.completed(index, outcome, isReusable: isReusable) }
    }
}
