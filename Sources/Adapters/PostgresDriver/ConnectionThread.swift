import Logging

/// One thread with one connection: connects, serves, and connects again.
final class ConnectionThread: Sendable {
    let wakeup = Wakeup()
    private let index: Int
    /// The thread keeps its pool alive until it is shut down.
    private let pool: PostgresPool

    init(index: Int, pool: PostgresPool) {
        self.index = index
        self.pool = pool
    }

    /// The thread's body.
    func run() {
        var failures = 0
        while !self.pool.isShutDown {
            do throws(PostgresError) {
                let connection = try LibpqConnection.open(self.pool.settings)
                failures = 0
                self.serve(connection)
            } catch {
                failures += 1
                self.pool.disconnected(self.index, error)
                self.wakeup.wait(self.reconnectDelay(afterFailures: failures))
            }
        }
        self.pool.disconnected(self.index, nil)
    }

    /// Does jobs until the connection breaks or the pool is shut down.
    private func serve(_ connection: LibpqConnection) {
        var job = self.pool.connected(self.index, connection.warning)
        while true {
            while let current = job {
                // Another connection may have found a newer primary. Nothing was sent here: the job goes to another.
                if let error = connection.staleness(by: self.pool.settings.primaries) {
                    return self.pool.disconnected(self.index, error)
                }
                self.pool.settings.waited?(.now - current.submitted)
                let outcome = connection.run(current.work, within: current.statementTimeout)
                job = self.pool.completed(self.index, outcome.result, isReusable: outcome.isReusable)
                current.continuation.resume(returning: outcome.result)
                if !outcome.isReusable { return }
            }
            guard connection.waitForWork(self.wakeup) else { return self.pool.disconnected(self.index, nil) }
            job = self.pool.assigned(self.index)
            if job == nil, self.pool.isShutDown { return }
        }
    }

    private func reconnectDelay(afterFailures count: Int) -> Duration {
        let range = self.pool.settings.reconnectDelay
        let doubled = range.lowerBound * (1 << min(count - 1, 16))
        // Up to a quarter less, so that a fleet does not come back in step.
        return min(doubled, range.upperBound) * Double.random(in: 0.75...1)
    }
}
