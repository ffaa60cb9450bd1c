import DeliveryQueue
import Logging
import MailModel
import NIOCore
import QueueStore
import Telemetry

/// All deliveries of one shard to one recipient domain: reads what is due, and works it off over a bounded number of
/// connections. It ends when nothing is due any more.
///
/// Its executor is one event loop, where its connections live too.
actor Destination {
    nonisolated let unownedExecutor: UnownedSerialExecutor

    private let environment: DeliveryEnvironment
    private let term: ShardTerm
    private let domain: DomainName
    private let eventLoop: any EventLoop

    /// Entries read and not yet taken by a worker; at most two pages.
    private var pending: [QueueEntry] = []
    /// Entries read and not yet concluded, so that a second reading of them is left out.
    private var underWay: Set<EntryKey> = []
    /// Entries concluded while a reading was under way, which may have seen them still.
    private var concludedMeanwhile: Set<EntryKey> = []
    private var workers = 0
    /// Workers that have not taken an entry yet.
    private var starting = 0
    /// Workers that have a connection and no message.
    private var parked: [(id: Int, resume: CheckedContinuation<QueueEntry?, Never>)] = []
    private var nextParkedID = 0
    private var reading = Reading.due(after: nil)
    private var isWoken = false
    private var isReading = false
    private var isStopping = false
    private var hasEnded = false
    private var watcher: CheckedContinuation<Void, Never>?

    private enum Reading {
        case due(after: ClaimCursor?)
        case finished
    }

    init(environment: DeliveryEnvironment, term: ShardTerm, domain: DomainName, eventLoop: any EventLoop) {
        self.environment = environment
        self.term = term
        self.domain = domain
        self.eventLoop = eventLoop
        self.unownedExecutor = eventLoop.executor.asUnownedSerialExecutor()
    }

    // MARK: - Events

    /// Something may have become due. `false` when the destination has ended: it will not look any more.
    func wake() -> Bool {
        guard !self.hasEnded else { return false }
        self.isWoken = true
        self.changed()
        return true
    }

    /// Takes no further message; those under way are finished.
    func stop() {
        self.isStopping = true
        self.pending.removeAll()
        self.releaseParked()
        self.changed()
    }

    /// Works until nothing is due, the shard is lost, or it is stopped.
    func run() async {
        let window = self.environment.settings.connectionsPerDestination
        await withDiscardingTaskGroup { group in
            while !self.isStopping {
                // A lease that ran out may still be renewed: the poll wakes us then. One that is lost stops us.
                guard self.mayGoOn else {
                    await withCheckedContinuation { self.watcher = $0 }
                    continue
                }
                if self.isWoken, case .finished = self.reading { self.reading = .due(after: nil) }
                if case .due(let cursor) = self.reading, self.pending.count < window {
                    self.isWoken = cursor == nil ? false : self.isWoken
                    await self.read(after: cursor, count: 2 * window)
                    // A worker that is busy may be so for long: each entry that waits gets one of its own.
                    while self.workers < window, self.starting < self.pending.count {
                        self.workers += 1
                        self.starting += 1
                        group.addTask { await self.work() }
                    }
                } else if case .finished = self.reading, self.workers == 0, !self.isWoken {
                    // From here on nobody looks, and nothing is under way: who wakes us may start another.
                    self.hasEnded = true
                    break
                } else {
                    await withCheckedContinuation { self.watcher = $0 }
                }
            }
            self.releaseParked()
        }
    }

    // MARK: - Reading

    private var mayGoOn: Bool { !self.isStopping && self.environment.leases.isHeld(self.term) }

    private func read(after cursor: ClaimCursor?, count: Int) async {
        self.isReading = true
        defer {
            self.isReading = false
            self.underWay.subtract(self.concludedMeanwhile)
            self.concludedMeanwhile.removeAll()
        }
        let started = ContinuousClock.now
        do throws(QueueStoreError) {
            let claim = try await self.environment.store.claim(
                self.term, destination: self.domain, after: cursor, maximumCount: count)
            self.environment.metrics.queueOperationDuration.observe(.claim, ContinuousClock.now - started)
            self.reading = claim.cursor.map { .due(after: $0) } ?? .finished
            for entry in claim.entries where self.underWay.insert(entry.key).inserted { self.hand(entry) }
        } catch {
            // The poll finds the destination again when the database is back.
            self.environment.logger.warning(
                "claim failed", metadata: ["rcpt_domain": "\(self.domain)", "error": "\(error)"])
            self.reading = .finished
        }
    }

    private func hand(_ entry: QueueEntry) {
        if let worker = self.parked.popLast() {
            worker.resume.resume(returning: entry)
        } else {
            self.pending.append(entry)
        }
    }

    // MARK: - Working

    private func work() async {
        await self.environment.budget.acquire()
        self.starting -= 1
        var link: OutboundLink?
        while let entry = await self.nextEntry(isConnected: link != nil) {
            await self.deliver(entry, over: &link)
            self.concluded(entry.key)
        }
        link?.connection.quit()
        self.environment.budget.release()
        self.workers -= 1
        self.changed()
    }

    /// The next entry; waits a moment for one when there is a connection that it could use.
    private func nextEntry(isConnected: Bool) async -> QueueEntry? {
        guard self.mayGoOn else { return nil }
        if !self.pending.isEmpty {
            self.changed()
            return self.pending.removeFirst()
        }
        guard isConnected else { return nil }
        let id = self.nextParkedID
        self.nextParkedID += 1
        let timer = self.eventLoop.scheduleTask(in: TimeAmount(DeliveryEnvironment.connectionIdleTime)) {
            self.assumeIsolated { $0.unpark(id) }
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { self.parked.append((id, $0)) }
    }

    private func concluded(_ key: EntryKey) {
        if self.isReading { self.concludedMeanwhile.insert(key) } else { self.underWay.remove(key) }
    }

    private func releaseParked() {
        let parked = self.parked
        self.parked.removeAll()
        for worker in parked { worker.resume.resume(returning: nil) }
    }

    private func unpark(_ id: Int) {
        guard let index = self.parked.firstIndex(where: { $0.id == id }) else { return }
        self.parked.remove(at: index).resume.resume(returning: nil)
    }

    private func deliver(_ entry: QueueEntry, over link: inout OutboundLink?) async {
        let conclusions = AttemptConclusions(environment: self.environment, term: self.term)
        // An attempt that an earlier owner began and did not conclude counts as one that failed.
        if let open = entry.interruptedAttempt {
            return await conclusions.record(entry, interrupted: open)
        }
        let attempt = DeliveryAttempt(
            environment: self.environment, entry: entry, term: self.term,
            dialer: Dialer(environment: self.environment, eventLoop: self.eventLoop))
        let report = await attempt.run(over: &link)
        guard !report.isVoid else { return }
        // Without the lease nothing was sent, or its outcome is recorded as a late delivery.
        await conclusions.record(entry, report)
    }

    private func changed() {
        self.watcher?.resume()
        self.watcher = nil
    }
}
