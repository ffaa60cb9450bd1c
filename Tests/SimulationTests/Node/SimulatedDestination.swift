import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

/// `Destination`: does what the product's `DestinationWork` says, and tells it what happened.
final class SimulatedDestination {
    let domain: DomainName
    unowned let node: SimulatedNode
    /// Gone when the shard was lost: then nobody asks for this destination any more.
    private weak var shard: SimulatedShard?
    let term: ShardTerm
    var work: DestinationWork<QueueEntry, ClaimCursor>
    /// The loop waits for the database.
    private var isBusy = false
    private var isDeciding = false
    /// A timer runs.
    private var isWaiting = false
    private(set) var hasEnded = false
    var deliveries = 0

    private static let connections = 3

    init(node: SimulatedNode, shard: SimulatedShard, domain: DomainName, testsEarly: Bool) {
        self.node = node
        self.shard = shard
        self.term = shard.term
        self.domain = domain
        self.work = DestinationWork(
            schedule: node.scenario.retries[domain], maximumWorkers: Self.connections,
            testsEarly: testsEarly)
    }

    func start() { self.changed() }

    func wake() -> Bool {
        let isLooking = self.work.woken()
        self.changed()
        return isLooking
    }

    func stop() {
        self.work.stopped()
        self.changed()
    }

    /// Nothing is under way.
    var isIdle: Bool { self.hasEnded && self.deliveries == 0 }

    var isHeld: Bool { self.node.mayWork(in: self.term) }

    /// `run`.
    func changed() {
        guard !self.isBusy, !self.isDeciding, !self.hasEnded else { return }
        self.isDeciding = true
        defer { self.isDeciding = false }
        while true {
            switch self.work.next(isHeld: self.isHeld) {
            case .read(let cursor, let count): return self.read(after: cursor, count: count)
            case .hire: self.hire()
            case .settle(let backoff, let cursor): return self.settle(backoff, after: cursor)
            case .wait: return
            case .waitUntilHeld: return self.askAgain()
            case .end:
                self.hasEnded = true
                return self.leave()
            }
        }
    }

    private func askAgain() {
        guard !self.isWaiting, self.node.surroundings.broken != .destinationForgotten else { return }
        self.isWaiting = true
        self.node.after(self.node.unit / 4) {
            self.isWaiting = false
            self.changed()
        }
    }

    /// The group of `run` waits for the deliveries.
    func leave() {
        guard self.isIdle else { return }
        self.shard?.ended(self)
    }

    private func answered() {
        self.isBusy = false
        self.changed()
    }

    // MARK: - Reading

    private func read(after cursor: ClaimCursor?, count: Int) {
        self.isBusy = true
        self.node.store.idempotently(.claim(self.term, self.domain, after: cursor, count: count)) { result in
            if case .success(.claimed(let page)) = result {
                let row = self.node.surroundings.broken == .rowIgnored ? nil : page.backoff
                self.work.claimed(
                    page.entries, cursor: page.cursor, backoff: row, isInForce: page.isBackoffInForce)
            } else {
                self.work.claimFailed()
            }
            self.answered()
        }
    }

    /// Concludes a page of entries that are overdue while the destination is left alone.
    private func settle(_ backoff: DestinationBackoff, after cursor: ClaimCursor?) {
        self.isBusy = true
        let now = self.node.databaseNow
        let criteria = OverdueCriteria(
            self.node.scenario.retries[self.domain], after: backoff.failure.failureClass, now: now)
        self.node.store.idempotently(.overdue(self.term, self.domain, criteria, after: cursor)) { result in
            guard case .success(.claimed(let page)) = result else {
                self.work.settled(cursor: nil)
                return self.answered()
            }
            var left = page.entries.count
            let settled = {
                self.work.settled(cursor: page.cursor)
                self.answered()
            }
            guard left > 0 else { return settled() }
            for entry in page.entries {
                self.node.begins(entry, in: self.term)
                let isSettled = {
                    self.node.ends(entry, in: self.term)
                    left -= 1
                    if left == 0 { settled() }
                }
                if entry.interruptedAttempt != nil {
                    self.conclusion(of: entry).record(SimulatedReport(interrupted: entry), isSettled)
                } else {
                    self.conclusion(of: entry).record(waitingFor: backoff, at: now, isSettled)
                }
            }
        }
    }

    func conclusion(of entry: QueueEntry) -> SimulatedConclusion {
        SimulatedConclusion(node: self.node, term: self.term, entry: entry, destination: self)
    }

    // MARK: - The row

    /// What the destination's row ought to say, to be written with the next conclusion.
    var unrecordedChange: DestinationChange? { self.work.unrecorded }

    func recorded(_ change: DestinationChange) { self.work.recorded(change) }
}
