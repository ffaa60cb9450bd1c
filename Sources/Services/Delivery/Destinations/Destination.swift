import ClusterModel
import DeliveryQueue
import Logging
import MailModel
import NIOCore
import QueueStore
import ServiceSupport
import ShardLeases
import Telemetry
import TransportSecurity

/// All deliveries of one shard to one recipient domain: reads what is due, and works it off over a bounded number of
/// connections. It ends when nothing is due any more.
///
/// Its executor is one event loop, where its connections live too. `DestinationWork`, which it tells of everything that
/// happens, decides what it does next. Each decision is made and acted upon without an `await` between.
///
/// How many workers it has follows the site. One that gets no slot there while another has one, goes, and its entry is
/// the other's; a second later one more may try. Where the site has had all that it may have, or our own resolver does
/// not work, the destination rests, with its entries in hand. It asks neither the database nor anybody else meanwhile.
actor Destination {
    /// What all destinations of a node share.
    struct Means: Sendable {
        let store: any DeliveryStore
        let gate: DeliveryGate
        let attempts: DeliveryAttempt.Means
        let outcomes: OutcomeRecorder.Means
        let schedules: RetrySchedules
        /// The most connections of one destination.
        let connections: Int
        let nullSenders: NullSenderShare
        let sites: SiteTable
        let links: ConnectionPool
        let activity: ActivityTable
        /// Has answers of the DNS looked up anew when an operator says so.
        let flushes: DNSFlushWatch?
        let metrics: DeliveryMetrics
        let logger: Logger
        let clock: DatabaseClock
        let time: any NodeClock
    }

    nonisolated let unownedExecutor: UnownedSerialExecutor

    private let means: Means
    private let term: ShardTerm
    private let domain: DomainName
    private let eventLoop: any EventLoop
    private var customer: SiteCustomer
    /// The operator's rule that is obeyed.
    private var rule: QueueRule?
    /// The same for mail from the null sender.
    private var nullSenderRule: QueueRule?
    /// What overdue entries are told while deliveries are suspended.
    private var suspension: DestinationBackoff?
    private var work: DestinationWork<QueueEntry, ClaimCursor>
    private var watcher: CheckedContinuation<Void, Never>?

    /// How long an entry is held back that cannot be read.
    private static let unreadablePause = Duration.seconds(3600)
    /// How often it is asked whether work may go on.
    static let unheldPause = Duration.seconds(1)
    /// How soon one more worker may try the site.
    private static let widening = Duration.seconds(1)

    /// - Parameters:
    ///   - testsEarly: make one test delivery though the domain is in backoff.
    ///   - closings: sessions closed upon a message that earlier runs have met.
    init(
        _ means: Means, term: ShardTerm, domain: DomainName, eventLoop: any EventLoop, testsEarly: Bool = false,
        closings: SessionClosings = SessionClosings()
    ) {
        self.means = means
        self.term = term
        self.domain = domain
        self.eventLoop = eventLoop
        self.customer = SiteCustomer(on: eventLoop)
        self.work = DestinationWork(
            schedule: means.schedules[domain], maximumWorkers: means.connections, testsEarly: testsEarly,
            closings: closings)
        self.unownedExecutor = eventLoop.executor.asUnownedSerialExecutor()
    }

    // MARK: - Events

    /// Something may have become due. `false` when the destination has ended: it will not look any more.
    func wake() -> Bool {
        defer { self.changed() }
        return self.work.woken()
    }

    /// Takes no further message; those under way are finished.
    func stop() {
        self.work.stopped()
        self.means.sites.withdraw(self.customer)
        self.changed()
    }

    /// The end of the domain's backoff, if it has one.
    var blockedUntil: Timestamp? { self.work.blockedUntil }

    /// Sessions closed upon a message since the last answer.
    var closings: SessionClosings { self.work.closings }

    /// Whether mail without a sender found no part of its share, since all that is due was last read.
    var isShareTaken: Bool { self.work.isShareTaken }

    /// Whether an attempt was made.
    var hasTried: Bool { self.work.hasTried }

    /// Works until nothing is due, the destination is blocked, the shard is lost, or it is stopped.
    func run() async {
        defer { self.means.activity.works(self.domain, in: self.term) }
        await withDiscardingTaskGroup { group in
            while true {
                self.heedRules()
                switch self.work.next(isHeld: self.isHeld) {
                case .read(let cursor, let count): await self.read(after: cursor, count: count)
                case .hire: group.addTask { await self.deliver() }
                case .settle(let backoff, let cursor): await self.settle(backoff, after: cursor)
                case .wait: await self.nextEvent()
                case .waitUntilHeld:
                    let timer = self.eventLoop.scheduleTask(in: TimeAmount(Self.unheldPause)) {
                        self.assumeIsolated { $0.changed() }
                    }
                    await self.nextEvent()
                    timer.cancel()
                case .end: return
                }
            }
        }
    }

    /// Whether work may go on: the shard is ours, and the database is well.
    private var isHeld: Bool { self.means.gate.isOpen(for: self.term) }

    private func nextEvent() async { await withCheckedContinuation { self.watcher = $0 } }

    private func changed() {
        self.watcher?.resume()
        self.watcher = nil
    }

    // MARK: - Reading

    private func read(after cursor: ClaimCursor?, count: Int) async {
        let started = self.means.time.now
        do throws(QueueStoreError) {
            let claim = try await self.means.store.claim(
                self.term, destination: self.domain, after: cursor, maximumCount: count,
                maximumBytes: QueueLimits.claimedBytes)
            self.means.metrics.queueOperationDuration.observe(.claim, self.means.time.now - started)
            await self.means.flushes?.caughtUp(with: claim.flushSerial)
            self.work.claimed(
                claim.entries, cursor: claim.cursor, backoff: claim.backoff, isInForce: claim.isBackoffInForce)
            try await self.holdBack(claim.unreadable)
        } catch {
            // The poll finds the destination again when the database is back.
            self.means.logger.warning(
                "claim failed", metadata: [LogKey.recipientDomain: "\(self.domain)", "error": "\(error)"])
            self.work.claimFailed()
        }
    }

    private func holdBack(_ entries: [UnreadableEntry]) async throws(QueueStoreError) {
        guard !entries.isEmpty else { return }
        for entry in entries {
            self.means.logger.error(
                "a queue entry cannot be read, and is held back",
                metadata: [
                    LogKey.recipientDomain: "\(self.domain)", LogKey.messageID: "\(entry.message)",
                    "error": "\(entry.error)",
                ])
        }
        try await self.means.store.holdBack(entries, in: self.term, for: Self.unreadablePause)
    }

    // MARK: - Working

    /// Delivers entries until there are no more. While what came of one is being recorded, the next is sent.
    private func deliver() async {
        self.work.workerBegan()
        var link: PooledConnection?
        await withTaskGroup(of: Void.self) { recording in
            while let entry = self.nextEntry() {
                let end = await self.attempt(entry, over: &link)
                guard self.ended(entry, end) else { break }
                guard case .made(let report) = end else { continue }
                // No more than one outcome is not on record yet, should this node end now.
                await recording.next()
                recording.addTask { await self.record(entry, report) }
            }
            if let unused = link.take() { self.means.links.put(unused, on: self.eventLoop) }
        }
        self.work.workerLeft()
        self.changed()
    }

    private func nextEntry() -> QueueEntry? {
        defer { self.changed() }
        self.heedRules()
        return self.work.take(isHeld: self.isHeld)
    }

    private func attempt(_ entry: QueueEntry, over link: inout PooledConnection?) async -> AttemptEnd {
        if let verdict = entry.verdict { return .made(AttemptReport(of: entry, verdict: verdict)) }
        // An attempt without an outcome that an earlier owner began counts as one that failed. It may have been
        // delivered: a rule waits for the next step.
        if let open = entry.interruptedAttempt { return .made(AttemptReport(of: entry, interrupted: open)) }
        let isFromNullSender = entry.sender.isEmpty
        if let rule = isFromNullSender ? self.nullSenderRule : self.rule {
            switch rule.action {
            case .bounce: return .made(AttemptReport(of: entry, verdict: rule.reason))
            case .suspend: return .suspended
            }
        }
        guard !isFromNullSender || self.means.nullSenders.take() else { return .shareIsTaken }
        defer {
            if isFromNullSender {
                self.means.nullSenders.release()
                self.work.shareWasFreed()
            }
        }
        self.means.activity.began(entry, epoch: self.term.epoch, at: self.means.clock.now)
        defer { self.means.activity.ended(entry.key) }
        var attempt = DeliveryAttempt(
            self.means.attempts, entry: entry, term: self.term, eventLoop: self.eventLoop, customer: self.customer)
        return await attempt.run(over: &link)
    }

    /// Says what came of an attempt. `false` when the worker has to go.
    private func ended(_ entry: QueueEntry, _ end: AttemptEnd) -> Bool {
        switch end {
        case .made(let report):
            self.means.activity.works(self.domain, in: self.term)
            // What was cut short by ourselves says nothing of the destination.
            let isWhole = self.isHeld && !Task.isCancelled
            self.work.attempted(
                entry.id, isWhole ? report.finding(sender: entry.sender) : .inconclusive, arrival: entry.arrival,
                now: self.means.clock.now)
        case .void: self.work.finished(entry.id)
        case .postponed(let pause, let reason):
            if self.work.postponed(entry) { self.rest(for: pause, because: reason) }
        case .shareIsTaken:
            self.means.sites.shortages?.refusedNullSender(at: self.means.time.now)
            self.work.shareWasTaken(entry)
        case .suspended: self.work.shareWasTaken(entry)
        case .siteIsFull:
            if self.work.siteWasFull(entry) { self.widenLater() }
            return false
        case .released:
            self.stop()
            _ = self.work.siteWasFull(entry)
            return false
        }
        return true
    }

    // MARK: - Rules of operators

    /// Another rule may be in force.
    func heedRules() {
        let (rules, clock) = (self.means.gate.standing, self.means.clock)
        let rule = rules.governing(self.domain, isFromNullSender: false, at: clock.now)
        let nullSenderRule = rules.governing(self.domain, isFromNullSender: true, at: clock.now)
        guard rule != self.rule || nullSenderRule != self.nullSenderRule else { return }
        self.rule = rule
        self.nullSenderRule = nullSenderRule
        self.suspension = nil
        if rule != nil {
            // What waits for a connection has not begun.
            self.means.sites.withdraw(self.customer)
            self.customer = SiteCustomer(on: self.eventLoop)
        }
        if let rule, rule.action == .suspend {
            let backoff = DestinationBackoff(suspendedBy: rule, at: self.means.clock.now)
            self.suspension = backoff
            self.work.suspended(backoff)
        } else {
            self.work.resumed()
            // What waited for a connection is read again.
            _ = self.work.woken()
        }
        self.changed()
    }

    /// What is told of overdue entries: how the destination itself failed last, if it did, also while it is suspended.
    private func failure(of backoff: DestinationBackoff) async throws(QueueStoreError) -> DestinationBackoff {
        guard backoff == self.suspension,
            let failure = try await self.means.store.backoff(self.term, destination: self.domain)?.failure
        else { return backoff }
        return DestinationBackoff(
            failure: failure, failures: backoff.failures, since: backoff.since, until: backoff.until)
    }

    // MARK: - Recording

    private var outcomeRecorder: OutcomeRecorder {
        OutcomeRecorder(means: self.means.outcomes, term: self.term, destination: self)
    }

    private func record(_ entry: QueueEntry, _ report: AttemptReport) async {
        await self.outcomeRecorder.record(entry, report)
        self.work.finished(entry.id)
    }

    /// What the destination's row ought to say, to be written with the next outcome.
    var unrecordedChange: DestinationChange? { self.work.unrecorded }

    /// That was written.
    func recorded(_ change: DestinationChange) {
        guard self.work.recorded(change) else { return }
        var metadata: Logger.Metadata = [LogKey.recipientDomain: "\(self.domain)"]
        switch change {
        case .blocked(let backoff):
            metadata[LogKey.reason] = "\(backoff.failure.reason)"
            metadata[LogKey.enhanced] = "\(backoff.failure.status)"
            metadata[LogKey.until] = "\(backoff.until)"
            metadata[LogKey.failures] = "\(backoff.failures)"
            self.means.logger.info("destination is backed off", metadata: metadata)
        case .opened:
            self.means.logger.info("destination works again", metadata: metadata)
        }
    }

    /// Records outcomes for a page of entries that are overdue, or given up, while the destination is in backoff or
    /// suspended.
    private func settle(_ backoff: DestinationBackoff, after cursor: ClaimCursor?) async {
        let now = self.means.clock.now
        let hasNextAttempt = backoff != self.suspension || self.rule?.until != nil
        do throws(QueueStoreError) {
            let backoff = try await self.failure(of: backoff)
            let criteria = OverdueCriteria(
                self.means.schedules[self.domain], after: backoff.failure.failureClass, now: now)
            let overdue = try await self.means.store.overdueEntries(
                self.term, destination: self.domain, criteria, after: cursor,
                maximumCount: QueueLimits.overdueEntries, lookedAt: QueueLimits.overdueLooks)
            try await self.holdBack(overdue.unreadable)
            let outcomeRecorder = self.outcomeRecorder
            await withDiscardingTaskGroup { group in
                for entry in overdue.entries {
                    group.addTask {
                        if let verdict = entry.verdict {
                            await outcomeRecorder.record(entry, AttemptReport(of: entry, verdict: verdict))
                        } else if let open = entry.interruptedAttempt {
                            // It may have been delivered, which would not be told any more.
                            await outcomeRecorder.record(entry, AttemptReport(of: entry, interrupted: open))
                        } else {
                            await outcomeRecorder.record(
                                entry, waitingFor: backoff, hasNextAttempt: hasNextAttempt, at: now)
                        }
                    }
                }
            }
            self.work.settled(cursor: overdue.cursor)
        } catch {
            self.means.logger.warning(
                "overdue entries not recorded",
                metadata: [LogKey.recipientDomain: "\(self.domain)", "error": "\(error)"])
            // They are looked for again at the next step.
            self.work.settled(cursor: nil)
        }
    }

    // MARK: - Pace

    private func widenLater() {
        self.eventLoop.scheduleTask(in: TimeAmount(Self.widening)) { self.assumeIsolated { $0.widen() } }
    }

    private func widen() {
        if self.work.widened() { self.widenLater() }
        self.changed()
    }

    private func rest(for pause: Duration, because reason: Postponement) {
        self.means.activity.rests(self.domain, in: self.term, because: reason, at: self.means.clock.now)
        self.means.logger.log(
            level: reason == .resolver ? .warning : .debug, "deliveries rest",
            metadata: [LogKey.recipientDomain: "\(self.domain)", LogKey.reason: "\(reason.rawValue)"])
        self.eventLoop.scheduleTask(in: TimeAmount(pause)) {
            self.assumeIsolated { destination in
                destination.work.rested()
                destination.changed()
            }
        }
    }
}

extension DestinationBackoff {
    /// What overdue entries are told while an operator has suspended deliveries.
    fileprivate init(suspendedBy rule: QueueRule, at now: Timestamp) {
        let failure = FailureReason.suspendedByOperator
        self.init(
            failure: DeliveryFailure(
                failureClass: .general, status: failure.transientStatus, reason: failure,
                text: SafeText.escape(rule.reason)),
            failures: 1, since: rule.since, until: rule.until ?? now)
    }
}
