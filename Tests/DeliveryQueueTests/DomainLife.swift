import DeliveryQueue
import MailModel

/// A domain and its queue on a manual clock: a store in memory and the product's own `DestinationWork`. It is driven as
/// its actor drives it, one attempt at a time. Times are minutes.
struct DomainLife {
    struct Entry: ClaimableEntry {
        let id: Int
        let comesLast = false
        let arrival: Timestamp
        var next: Timestamp
        var attempts = 0
        var isDelayNotified = false
    }

    private let schedule: RetrySchedule
    /// In the order of their next attempts, as the store gives them.
    private(set) var entries: [Entry] = []
    private var row: DestinationBackoff?
    private var lastID = 0

    /// Minutes of attempts made.
    private(set) var attempts: [Int64] = []
    /// Entries that were rewritten or removed without having been attempted, by minute.
    private(set) var recorded: [Int64: Int] = [:]
    /// Minutes at which a sender was told of the delay, by entry.
    private(set) var delays: [Int: Int64] = [:]
    /// Minutes at which an entry was given up.
    private(set) var expiries: [Int: Int64] = [:]
    private(set) var delivered: [Int: Int64] = [:]
    /// Writes of the destination's row.
    private(set) var rowWrites = 0

    init(schedule: RetrySchedule = .standard) { self.schedule = schedule }

    var hasRow: Bool { self.row != nil }

    static func at(_ minute: Int64) -> Timestamp { Timestamp(seconds: minute * 60) }

    mutating func arrive(_ count: Int, at minute: Int64) {
        for _ in 0..<count {
            self.lastID += 1
            self.entries.append(Entry(id: self.lastID, arrival: Self.at(minute), next: Self.at(minute)))
        }
        self.sort()
    }

    /// Lives minute by minute, as the poll does second by second.
    mutating func live(
        _ minutes: ClosedRange<Int64>, arrivals: (Int64) -> Int = { _ in 0 },
        _ world: (Int64) -> DestinationFinding
    ) {
        for minute in minutes {
            let count = arrivals(minute)
            if count > 0 { self.arrive(count, at: minute) }
            let now = Self.at(minute)
            guard self.row?.isInForce(at: now) != true, self.entries.contains(where: { $0.next <= now }) else {
                continue
            }
            self.work(at: minute, world(minute))
        }
    }

    private mutating func work(at minute: Int64, _ finding: DestinationFinding) {
        var work = DestinationWork<Entry, Entry.ID>(schedule: self.schedule, maximumWorkers: 2)
        while true {
            switch work.next(isHeld: true) {
            case .read(_, let count):
                let due = self.entries.prefix { $0.next <= Self.at(minute) }.prefix(count)
                work.claimed(
                    Array(due), cursor: nil, backoff: self.row,
                    isInForce: self.row?.isInForce(at: Self.at(minute)) ?? false)
                if due.count == count { _ = work.woken() }
            case .hire:
                work.workerBegan()
                while let entry = work.take(isHeld: true) { self.attempt(entry, finding, at: minute, &work) }
                work.workerLeft()
            case .settle(let backoff, _):
                self.settle(backoff, at: minute)
                work.settled(cursor: nil)
            case .wait, .waitUntilHeld: preconditionFailure("nothing is under way, and nothing is to be done")
            case .end: return
            }
        }
    }

    private mutating func attempt(
        _ entry: Entry, _ finding: DestinationFinding, at minute: Int64, _ work: inout DestinationWork<Entry, Entry.ID>
    ) {
        self.attempts.append(minute)
        work.attempted(entry.id, finding, arrival: entry.arrival, now: Self.at(minute))
        let outcome: AttemptOutcome =
            switch finding {
            case .failed(let failure), .closed(let failure, _): .failed(failure)
            case .answered, .inconclusive: .taken
            }
        let decision = EntryDecision(
            [outcome], schedule: self.schedule, attempts: entry.attempts + 1, arrival: entry.arrival,
            now: Self.at(minute))
        self.record(entry, decision, at: minute)
        if let change = work.unrecorded {
            self.rowWrites += 1
            self.row = if case .blocked(let backoff) = change { backoff } else { nil }
            work.recorded(change)
        }
        work.finished(entry.id)
    }

    private mutating func settle(_ backoff: DestinationBackoff, at minute: Int64) {
        let now = Self.at(minute)
        let criteria = OverdueCriteria(self.schedule, after: backoff.failure.failureClass, now: now)
        for entry in self.entries
        where entry.next <= now && criteria.matches(arrival: entry.arrival, isDelayNotified: entry.isDelayNotified) {
            self.recorded[minute, default: 0] += 1
            let decision = backoff.decision(
                recipients: 1, schedule: self.schedule, arrival: entry.arrival, now: now)
            self.record(entry, decision, at: minute, place: entry.next)
        }
    }

    private mutating func record(
        _ entry: Entry, _ decision: EntryDecision, at minute: Int64, place: Timestamp? = nil
    ) {
        let plan = NotificationPlan(
            decision, notify: [nil], sender: ReversePath("<alice@alpha.test>") ?? .null, schedule: self.schedule,
            arrival: entry.arrival, now: Self.at(minute), isDelayNotified: entry.isDelayNotified)
        switch plan.notices[0] {
        case .delayed?: self.delays[entry.id] = minute
        case .failed?: self.expiries[entry.id] = minute
        case .relayed?, nil: ()
        }
        if decision.recipients[0].isDelivered { self.delivered[entry.id] = minute }
        guard let index = self.entries.firstIndex(where: { $0.id == entry.id }) else { return }
        guard let next = decision.nextAttempt else {
            self.entries.remove(at: index)
            return
        }
        self.entries[index].next = place ?? next
        self.entries[index].attempts += 1
        self.entries[index].isDelayNotified = entry.isDelayNotified || plan.isDelaySettled
        self.sort()
    }

    private mutating func sort() { self.entries.sort { ($0.next, $0.id) < ($1.next, $1.id) } }
}
