import DequeModule

/// Who works, who is free and who waits. Decided under the pool's lock, acted upon after it.
struct PoolState {
    enum OnSubmit {
        case start(ConnectionThread)
        case wait(isFirst: Bool)
        case refuse(PostgresError)
    }

    var threads: [ConnectionThread] = []
    /// The job of each connection, from assignment to completion.
    private(set) var assigned: [Int: Job] = [:]
    private(set) var waiting: Deque<Job> = []
    private(set) var isShutDown = false
    /// Free connections; the last one used is used next, so that surplus ones stay quiet.
    private var idle: [Int] = []
    private let size: Int
    private let maximumWaiters: Int
    private var counters = PoolStatistics()
    private var lastConnectError: PostgresError?
    private var lastWarning: String?

    init(size: Int, maximumWaiters: Int) {
        self.size = size
        self.maximumWaiters = maximumWaiters
    }

    var statistics: PoolStatistics {
        var statistics = self.counters
        statistics.idle = self.idle.count
        statistics.busy = self.assigned.count
        statistics.connecting = self.size - self.idle.count - self.assigned.count
        statistics.waiting = self.waiting.count
        return statistics
    }

    mutating func submit(_ job: Job) -> OnSubmit {
        if self.isShutDown { return .refuse(self.count(.init(.shutDown, "the pool is shut down"))) }
        if let index = self.idle.popLast() {
            self.assigned[index] = job
            return .start(self.threads[index])
        }
        guard self.waiting.count < self.maximumWaiters else {
            return .refuse(self.count(.init(.tooManyWaiters, "\(self.waiting.count) callers wait already")))
        }
        self.waiting.append(job)
        return .wait(isFirst: self.waiting.count == 1)
    }

    /// A connection stands: it takes the next job, or becomes free.
    mutating func connected(_ index: Int) -> Job? {
        self.lastConnectError = nil
        return self.next(index)
    }

    /// Whether this was not said of the last connection already.
    mutating func isNews(_ warning: String?) -> Bool {
        defer { self.lastWarning = warning }
        return warning != self.lastWarning
    }

    /// A connection ended while free or while opening. A job that was given to it meanwhile goes back to the front; the
    /// thread returned, if any, is free to take it.
    mutating func disconnected(_ index: Int, _ error: PostgresError?) -> ConnectionThread? {
        self.idle.removeAll { $0 == index }
        if let error {
            self.lastConnectError = error
            self.counters.errors[error.code, default: 0] += 1
        }
        guard let job = self.assigned.removeValue(forKey: index) else { return nil }
        if let other = self.idle.popLast() {
            self.assigned[other] = job
            return self.threads[other]
        }
        self.waiting.prepend(job)
        return nil
    }

    mutating func completed(_ index: Int, _ outcome: Job.Outcome, isReusable: Bool) -> Job? {
        self.counters.completed += 1
        if case .failure(let error) = outcome { _ = self.count(error) }
        self.assigned.removeValue(forKey: index)
        return isReusable ? self.next(index) : nil
    }

    /// Takes out those who have waited too long. All wait equally long, so the first is always the next to expire.
    mutating func expire(now: ContinuousClock.Instant) -> [(Job, PostgresError)] {
        let expired = self.waiting.prefix { $0.acquireDeadline <= now }
        self.waiting.removeFirst(expired.count)
        return expired.map { job in
            let nobody = self.assigned.isEmpty && self.idle.isEmpty
            let cause = nobody ? self.lastConnectError : nil
            return (job, self.count(cause ?? .init(.acquireTimeout, "no connection became free in time")))
        }
    }

    mutating func shutDown() -> (jobs: [Job], threads: [ConnectionThread]) {
        self.isShutDown = true
        defer { self.waiting = [] }
        return (Array(self.waiting), self.threads)
    }

    private mutating func next(_ index: Int) -> Job? {
        guard !self.waiting.isEmpty else {
            self.idle.append(index)
            return nil
        }
        let job = self.waiting.removeFirst()
        self.assigned[index] = job
        return job
    }

    private mutating func count(_ error: PostgresError) -> PostgresError {
        self.counters.errors[error.code, default: 0] += 1
        return error
    }
}
