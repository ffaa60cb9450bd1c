public import MailModel

/// The deliveries of one shard to one recipient domain, as a value: what is read, who works on it, and whether the
/// destination is open. Events in, decisions out; whoever drives it asks `next` after each event, and does what it
/// says.
///
/// It begins with a sweep of what is due. Each sweep goes on page by page while there is capacity; being woken begins
/// another one. It ends when a sweep found nothing more and nothing is under way. It also ends when the destination is
/// blocked, or suspended by an operator, and no entry remains to be recorded for that.
///
/// Entries that come last, which are those of mail without a sender, keep no other from being read. Where their share
/// is taken they stay in the database until another sweep. A test delivery is another entry if there is one.
///
/// - `Entry`: what is delivered; `Cursor`: where a sweep has come to.
public struct DestinationWork<Entry: ClaimableEntry, Cursor: Hashable & Sendable>: Hashable, Sendable {
    /// What is to be done next.
    public enum Step: Hashable, Sendable {
        /// Read so many entries behind the cursor, and say `claimed` or `claimFailed`.
        case read(after: Cursor?, count: Int)
        /// Start one worker, which says `workerBegan`, takes entries until there is none, and says `workerLeft`.
        case hire
        /// Record outcomes of overdue entries behind the cursor, for the failure stated; then say `settled`.
        case settle(DestinationBackoff, after: Cursor?)
        /// Nothing, until the next event.
        case wait
        /// Nothing while work may not go on: no event tells when it may again, so ask after a while, or at the next event.
        case waitUntilHeld
        /// Nothing ever: it has ended.
        case end
    }

    private enum Sweep: Hashable {
        case due(after: Cursor?)
        case finished
    }

    private let schedule: RetrySchedule
    private var entries = ClaimedEntries<Entry>()
    private var pace: DestinationPace
    private var gate: DestinationGate
    /// For each attempt under way, how many answers there had been when it began.
    private var attempts: [Entry.ID: Int] = [:]
    private var reading = Sweep.due(after: nil)
    /// Of overdue entries, while the destination is blocked or suspended.
    private var settling = Sweep.finished
    /// An operator has suspended deliveries, and this is told of entries that are overdue meanwhile.
    private var suspension: DestinationBackoff?
    private var isWoken = false
    /// Entries that come last had no part of their share, since this sweep began.
    public private(set) var isShareTaken = false
    private var isStopping = false
    private var isRecorded = true
    /// It looks for nothing any more: another one may take its place.
    public private(set) var hasEnded = false
    /// An attempt was made.
    public private(set) var hasTried = false

    /// - Parameters:
    ///   - maximumWorkers: deliveries that may go on at once.
    ///   - testsEarly: make one test delivery though the destination's row is in force.
    ///   - closings: sessions closed upon a message that earlier runs have met since the last answer.
    public init(
        schedule: RetrySchedule, maximumWorkers: Int, testsEarly: Bool = false,
        closings: SessionClosings = SessionClosings()
    ) {
        self.gate = DestinationGate(testsEarly: testsEarly, closings: closings)
        self.schedule = schedule
        self.pace = DestinationPace(maximum: maximumWorkers)
    }

    // MARK: - Deciding

    /// What is to be done next.
    ///
    /// - Parameter isHeld: whether work may go on: the lease is held, and the database is well. A lease that ran out may still
    ///   be renewed; one that is lost stops us.
    public mutating func next(isHeld: Bool) -> Step {
        if self.isStopping || self.hasEnded { return self.end() }
        if self.pace.isResting { return .wait }
        guard isHeld else { return .waitUntilHeld }
        if let suspension { return self.nextWhileBlocked(suspension) }
        if case .blocked(let backoff) = self.gate.state { return self.nextWhileBlocked(backoff) }
        // A worker that is busy may be so for long: each entry that waits gets one of its own.
        if !self.isStaffed, !self.mayFindTestDelivery {
            self.pace.hired()
            return .hire
        }
        if self.isWoken, self.reading == .finished, self.hasCapacity { self.reading = .due(after: nil) }
        if case .due(let cursor) = self.reading, self.hasCapacity {
            if cursor == nil {
                self.isWoken = false
                self.isShareTaken = false
            }
            self.entries.readingBegan()
            return .read(after: cursor, count: self.page)
        }
        // From here on nobody looks, and nothing is under way: who wakes us may start another.
        return self.isIdle ? self.end() : .wait
    }

    /// What was under way is waited for, since it may yet be answered. Overdue entries get their outcome only after
    /// that.
    private mutating func nextWhileBlocked(_ backoff: DestinationBackoff) -> Step {
        guard self.pace.workers == 0 else { return .wait }
        guard case .due(let cursor) = self.settling else { return self.end() }
        return .settle(backoff, after: cursor)
    }

    private mutating func end() -> Step {
        self.hasEnded = true
        return .end
    }

    /// There are workers for all that waits, or as many as there may be.
    private var isStaffed: Bool {
        let limit = self.gate.isTesting ? 1 : self.pace.window
        return self.pace.workers >= limit || self.pace.starting >= self.entries.count
    }

    /// So many entries are read at once.
    private var page: Int { 2 * self.pace.window }

    /// More is to be read. While there is but one test delivery, the next one is enough.
    private var hasCapacity: Bool {
        self.gate.isTesting ? self.entries.isEmpty || self.mayFindTestDelivery : self.entries.count < self.pace.window
    }

    /// The next test delivery would be an entry that comes last, and the sweep may show another.
    private var mayFindTestDelivery: Bool {
        guard self.gate.isTesting, self.pace.workers == 0, case .due = self.reading else { return false }
        return self.entries.pending.isEmpty
    }

    private var isIdle: Bool {
        self.reading == .finished && self.pace.workers == 0 && self.entries.isEmpty && !self.isWoken
    }

    // MARK: - Events

    /// Something may have become due. `false` when it has ended: it will not look any more.
    public mutating func woken() -> Bool {
        guard !self.hasEnded else { return false }
        self.isWoken = true
        return true
    }

    /// Takes no further entry; those under way are finished.
    public mutating func stopped() {
        self.isStopping = true
        self.entries.dropPending()
    }

    /// An operator has suspended deliveries: no further entry is taken until they go on. Those under way are finished;
    /// then overdue entries get their outcome, and it ends.
    ///
    /// - Parameter backoff: what is told of the overdue ones.
    public mutating func suspended(_ backoff: DestinationBackoff) {
        self.suspension = backoff
        self.entries.dropPending()
        self.settling = .due(after: nil)
    }

    /// Deliveries go on, with a new sweep.
    public mutating func resumed() {
        guard self.suspension != nil else { return }
        self.suspension = nil
        self.settling = self.gate.isBlocked ? .due(after: nil) : .finished
        self.isWoken = true
    }

    private var takesNothing: Bool { self.isStopping || self.suspension != nil || self.gate.isBlocked }

    /// A page was read, and the destination's row with it.
    ///
    /// - Parameters:
    ///   - cursor: where to go on; `nil` at the end of the sweep.
    ///   - isInForce: whether the row is, by the database's clock.
    public mutating func claimed(
        _ entries: [Entry], cursor: Cursor?, backoff: DestinationBackoff?, isInForce: Bool
    ) {
        self.gate.learned(backoff, isInForce: isInForce)
        self.reading = cursor.map { .due(after: $0) } ?? .finished
        // What was read meanwhile is not begun: it stays where it is.
        let areLeftOut = self.entries.readingEnded(
            self.takesNothing ? nil : entries, keepingLast: self.isShareTaken ? 0 : 2 * self.page)
        // Those that are left out for their share are found by whoever wakes us next.
        if areLeftOut, !self.isShareTaken { self.isWoken = true }
    }

    /// The page could not be read. The poll finds the destination again when the database is back.
    public mutating func claimFailed() {
        self.reading = .finished
        _ = self.entries.readingEnded(nil, keepingLast: 0)
    }

    /// A page of overdue entries has its outcomes.
    ///
    /// - Parameter cursor: where to go on; `nil` at the end.
    public mutating func settled(cursor: Cursor?) {
        guard case .due = self.settling else { return }
        self.settling = cursor.map { .due(after: $0) } ?? .finished
    }

    // MARK: - Workers

    /// A worker has started.
    public mutating func workerBegan() { self.pace.began() }

    /// A worker has finished all it took.
    public mutating func workerLeft() { self.pace.left() }

    /// The next entry for a worker to attempt; `nil` sends it home. Those that come last are taken when no others wait.
    public mutating func take(isHeld: Bool) -> Entry? {
        guard isHeld, !self.isStopping, self.suspension == nil, !self.pace.isResting else { return nil }
        // A worker that has made one test delivery goes, so that a better one is looked for.
        if self.gate.isTesting, self.entries.pending.isEmpty, case .due = self.reading { return nil }
        guard let entry = self.entries.take() else { return nil }
        self.attempts[entry.id] = self.gate.answers
        return entry
    }

    /// An attempt was made, and its outcome is about to be recorded.
    ///
    /// - Parameters:
    ///   - arrival: when its message was accepted.
    ///   - now: by the database's clock.
    public mutating func attempted(
        _ id: Entry.ID, _ finding: DestinationFinding, arrival: Timestamp, now: Timestamp
    ) {
        guard let answers = self.attempts.removeValue(forKey: id) else { return }
        self.hasTried = true
        let wasBlocked = self.gate.isBlocked
        let change = self.gate.found(
            finding, since: answers, arrival: arrival, schedule: self.schedule, now: now)
        switch change {
        case .none: ()
        case .opened:
            self.isRecorded = false
            if self.suspension == nil { self.settling = .finished }
            // What was dropped for the block is read again.
            if wasBlocked { self.reading = .due(after: nil) }
        case .stillBlocked: self.entries.dropPending()
        case .blocked:
            self.isRecorded = false
            self.entries.dropPending()
            self.settling = .due(after: nil)
        }
    }

    /// The entry is no longer ours to deal with: its outcome is on record, or the attempt was void.
    public mutating func finished(_ id: Entry.ID) {
        let wasVoid = self.attempts.removeValue(forKey: id) != nil
        self.entries.finished(id)
        if wasVoid, self.gate.testEnded() == .stillBlocked { self.entries.dropPending() }
    }

    /// No host was asked, through no fault of the domain's: rest, with the entry in hand.
    ///
    /// - Returns: whether a timer is to be set, which says `rested`.
    public mutating func postponed(_ entry: Entry) -> Bool {
        self.putBack(entry)
        return self.pace.rest()
    }

    /// There is no part of the share for an entry that comes last. It and all like it stay in the database: the next sweep
    /// shows them again. Others go on.
    public mutating func shareWasTaken(_ entry: Entry) {
        self.attempts[entry.id] = nil
        self.isShareTaken = true
        self.entries.finished(entry.id)
        self.entries.dropPendingLast()
    }

    /// An attempt of ours has given its part of the share back: what had none is looked for again.
    public mutating func shareWasFreed() { if self.isShareTaken { self.isWoken = true } }

    /// The rest is over.
    public mutating func rested() { self.pace.rested() }

    /// The site has no slot for the worker, which leaves; others of the destination have one, and take the entry.
    ///
    /// - Returns: whether a timer is to be set, which says `widened`.
    public mutating func siteWasFull(_ entry: Entry) -> Bool {
        self.putBack(entry)
        return self.pace.narrowed()
    }

    /// One more worker may try the site.
    ///
    /// - Returns: whether the timer is to be set again.
    public mutating func widened() -> Bool { self.hasEnded ? false : self.pace.widened() }

    private mutating func putBack(_ entry: Entry) {
        self.attempts[entry.id] = nil
        if self.takesNothing {
            self.entries.finished(entry.id)
        } else {
            self.entries.putBack(entry)
        }
    }

    // MARK: - The row

    /// Its next attempt is a test delivery before its time.
    public var isTestingEarly: Bool { self.gate.isTestingEarly }

    /// Sessions closed upon a message since the last answer, for the next run.
    public var closings: SessionClosings { self.gate.closings }

    /// The end of the destination's backoff, if it has one.
    public var blockedUntil: Timestamp? { self.gate.isBlocked ? self.gate.backoff?.until : nil }

    /// What the destination's row ought to say, to be written with the next outcome; `nil` where it says so already.
    public var unrecorded: DestinationChange? {
        guard !self.isRecorded else { return nil }
        return self.gate.backoff.map { .blocked($0) } ?? .opened
    }

    /// That was written. `false` when it was said before, or has been overtaken and is to be written anew.
    @discardableResult
    public mutating func recorded(_ change: DestinationChange) -> Bool {
        guard change == self.unrecorded else { return false }
        self.isRecorded = true
        return true
    }
}

/// What is written into a destination's row.
public enum DestinationChange: Hashable, Sendable {
    /// It is in backoff.
    case blocked(DestinationBackoff)
    /// Mail goes there: there is no row.
    case opened
}
