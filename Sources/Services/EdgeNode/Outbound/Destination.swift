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
///
/// How many workers it has follows the site: one that finds no place there while another has one, goes, and its entry
/// is the other's; a second later one more may try. Where the site has had all that it may have, and where our own resolver
/// does not work, the destination rests, with its entries in hand: it asks neither the database nor anybody else meanwhile.
actor Destination {
    nonisolated let unownedExecutor: UnownedSerialExecutor

    private let environment: DeliveryEnvironment
    private let term: ShardTerm
    private let domain: DomainName
    private let eventLoop: any EventLoop
    private let customer: SiteCustomer

    /// Entries read and not yet taken by a worker: two pages, and those that workers gave back.
    private var pending: [QueueEntry] = []
    /// Entries read and not yet concluded, so that a second reading of them is left out.
    private var underWay: Set<EntryKey> = []
    /// Entries concluded while a reading was under way, which may have seen them still.
    private var concludedMeanwhile: Set<EntryKey> = []
    private var workers = 0
    /// Workers that have not taken an entry yet.
    private var starting = 0
    /// How many workers there may be at present.
    private var window: Int
    private var isResting = false
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

    /// How long an entry is held back that cannot be read.
    private static let unreadablePause = Duration.seconds(3600)
    /// How soon one more worker may try the site.
    private static let widening = Duration.seconds(1)

    init(environment: DeliveryEnvironment, term: ShardTerm, domain: DomainName, eventLoop: any EventLoop) {
        self.environment = environment
        self.term = term
        self.domain = domain
        self.eventLoop = eventLoop
        self.customer = SiteCustomer(on: eventLoop)
        self.window = environment.settings.connectionsPerDestination
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
        self.environment.sites.withdraw(self.customer)
        self.changed()
    }

    /// Works until nothing is due, the shard is lost, or it is stopped.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !self.isStopping {
                // A lease that ran out may still be renewed: the poll wakes us then. One that is lost stops us.
                guard self.mayGoOn else {
                    await self.change()
                    continue
                }
                if self.isWoken, case .finished = self.reading { self.reading = .due(after: nil) }
                if case .due(let cursor) = self.reading, self.pending.count < self.window {
                    self.isWoken = cursor == nil ? false : self.isWoken
                    await self.read(after: cursor, count: 2 * self.window)
                } else if self.isIdle {
                    // From here on nobody looks, and nothing is under way: who wakes us may start another.
                    self.hasEnded = true
                    break
                } else if self.isStaffed {
                    await self.change()
                }
                // A worker that is busy may be so for long: each entry that waits gets one of its own.
                while self.mayGoOn, !self.isStaffed {
                    self.workers += 1
                    self.starting += 1
                    group.addTask { await self.work() }
                }
            }
        }
    }

    private var mayGoOn: Bool {
        !self.isStopping && !self.isResting && self.environment.leases.isHeld(self.term)
    }

    /// There are workers for all that waits, or as many as there may be.
    private var isStaffed: Bool { self.workers >= self.window || self.starting >= self.pending.count }

    private var isIdle: Bool {
        guard case .finished = self.reading else { return false }
        return self.workers == 0 && self.pending.isEmpty && !self.isWoken
    }

    private func change() async { await withCheckedContinuation { self.watcher = $0 } }

    private func changed() {
        self.watcher?.resume()
        self.watcher = nil
    }

    // MARK: - Reading

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
            self.pending += claim.entries.filter { self.underWay.insert($0.key).inserted }
            if !claim.unreadable.isEmpty { try await self.holdBack(claim.unreadable) }
        } catch {
            // The poll finds the destination again when the database is back.
            self.environment.logger.warning(
                "claim failed", metadata: [LogKey.recipientDomain: "\(self.domain)", "error": "\(error)"])
            self.reading = .finished
        }
    }

    private func holdBack(_ entries: [UnreadableEntry]) async throws(QueueStoreError) {
        for entry in entries {
            self.environment.logger.error(
                "a queue entry cannot be read, and is held back",
                metadata: [
                    LogKey.recipientDomain: "\(self.domain)", LogKey.messageID: "\(entry.message)",
                    "error": "\(entry.error)",
                ])
        }
        try await self.environment.store.holdBack(entries, in: self.term, for: Self.unreadablePause)
    }

    // MARK: - Working

    /// Delivers entries until there are no more. While what came of one is being recorded, the next is sent.
    private func work() async {
        self.starting -= 1
        var link: OutboundLink?
        let conclusions = AttemptConclusions(environment: self.environment, term: self.term)
        await withTaskGroup(of: Void.self) { recording in
            working: while let entry = self.nextEntry() {
                switch await self.attempt(entry, over: &link) {
                case .made(let report):
                    // No more than one outcome is not on record yet, should this node end now.
                    await recording.next()
                    recording.addTask {
                        await conclusions.record(entry, report)
                        await self.concluded(entry.key)
                    }
                case .void: self.concluded(entry.key)
                case .postponed(let pause, let reason):
                    self.takeBack(entry)
                    self.rest(for: pause, because: reason)
                case .siteIsFull:
                    self.takeBack(entry)
                    self.narrow()
                    break working
                }
            }
            if let unused = link.take() { self.environment.links.put(unused, on: self.eventLoop) }
        }
        self.workers -= 1
        self.changed()
    }

    private func nextEntry() -> QueueEntry? {
        guard self.mayGoOn, !self.pending.isEmpty else { return nil }
        self.changed()
        return self.pending.removeFirst()
    }

    private func attempt(_ entry: QueueEntry, over link: inout OutboundLink?) async -> AttemptEnd {
        // An attempt that an earlier owner began and did not conclude counts as one that failed.
        if let open = entry.interruptedAttempt { return .made(AttemptReport(of: entry, interrupted: open)) }
        var attempt = DeliveryAttempt(
            environment: self.environment, entry: entry, term: self.term,
            dialer: Dialer(environment: self.environment, eventLoop: self.eventLoop), customer: self.customer)
        return await attempt.run(over: &link)
    }

    private func concluded(_ key: EntryKey) {
        if self.isReading { self.concludedMeanwhile.insert(key) } else { self.underWay.remove(key) }
    }

    private func takeBack(_ entry: QueueEntry) {
        if !self.isStopping { self.pending.insert(entry, at: 0) }
    }

    // MARK: - Pace

    private func narrow() {
        let isWidening = self.window < self.environment.settings.connectionsPerDestination
        self.window = max(1, self.workers - 1)
        if !isWidening { self.widenLater() }
    }

    private func widenLater() {
        self.eventLoop.scheduleTask(in: TimeAmount(Self.widening)) { self.assumeIsolated { $0.widen() } }
    }

    private func widen() {
        guard !self.hasEnded, self.window < self.environment.settings.connectionsPerDestination else { return }
        self.window += 1
        self.changed()
        self.widenLater()
    }

    private func rest(for pause: Duration, because reason: Postponement) {
        guard !self.isResting else { return }
        self.isResting = true
        self.environment.logger.log(
            level: reason == .resolver ? .warning : .debug, "deliveries rest",
            metadata: [LogKey.recipientDomain: "\(self.domain)", LogKey.reason: "\(reason.rawValue)"])
        self.eventLoop.scheduleTask(in: TimeAmount(pause)) {
            self.assumeIsolated { destination in
                destination.isResting = false
                destination.changed()
            }
        }
    }
}
