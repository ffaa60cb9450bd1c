import ClusterModel
import DatabaseHealth
import MailModel

@testable import EdgeNode
@testable import QueueStore

/// `LeaseKeeper`, `LeaseTable` and `DatabaseClock`: takes and renews the node's leases, and measures the database's clock.
final class SimulatedLeases {
    private unowned let node: SimulatedNode
    private var leases: [Shard: Lease] = [:]
    /// What was seen of other owners' leases, and of a former run.
    private var others = StaleNodeDetector<Shard, LeaseSighting>()
    private var runs = StaleNodeDetector<String, NodeSight>()
    private var clock: (time: Timestamp, at: MonotonicInstant)?

    init(_ node: SimulatedNode) { self.node = node }

    // MARK: - Keeping

    /// After a crash this waits until the former run has been forgotten, or was silent for long enough.
    func register(_ then: @escaping () -> Void) {
        self.node.store.idempotently(.sightNode) { result in
            guard case .success(.node(let sight)) = result else { return self.registerLater(result, then) }
            let seen = sight.map { [self.node.client.name: $0] } ?? [:]
            let silent = self.runs.observed(seen, at: self.node.now, stillFor: self.timeToLive)
            self.node.store.idempotently(.register(replacing: silent[self.node.client.name])) { result in
                if case .success(.done) = result { then() } else { self.registerLater(result, then) }
            }
        }
    }

    private func registerLater(_ result: Result<StoreAnswer, QueueStoreError>, _ then: @escaping () -> Void) {
        self.failed(result)
        self.node.after(self.node.unit / 2) { self.register(then) }
    }

    /// Renews until the node ends.
    func run() { self.renew() }

    private func renew() {
        let known = self.all
        guard !known.isEmpty else { return self.acquire() }
        let sentAt = self.node.now
        self.node.store.idempotently(.renew(known.map(\.term))) { result in
            guard case .success(.terms(let kept)) = result else { return self.failed(result, thenRest: true) }
            self.leases.removeAll()
            for var lease in known where kept.contains(lease.term) {
                lease.renewed(
                    sentAt: self.node.surroundings.broken == .leaseFromAnswer ? self.node.now : sentAt)
                self.leases[lease.shard] = lease
            }
            self.acquire()
        }
    }

    private func acquire() {
        let missing = self.node.scenario.map.shards.filter { self.leases[$0] == nil }
        guard !missing.isEmpty else { return self.finishRound() }
        self.node.store.idempotently(.sightLeases(missing)) { result in
            guard case .success(.leases(let seen)) = result else { return self.failed(result, thenRest: true) }
            let silent = self.others.observed(seen, at: self.node.now, stillFor: self.timeToLive)
            self.acquire(missing, silent: silent)
        }
    }

    private func acquire(_ missing: [Shard], silent: [Shard: LeaseSighting]) {
        let sentAt = self.node.now
        self.node.store.idempotently(.acquire(missing, silent: silent)) { result in
            guard case .success(.terms(let terms)) = result else { return self.failed(result, thenRest: true) }
            for term in terms {
                self.leases[term.shard] = Lease(
                    shard: term.shard, epoch: term.epoch, sentAt: sentAt, terms: self.node.scenario.terms)
            }
            self.finishRound()
        }
    }

    /// How long another's lease or run must have stood still to be over; by a rule that is broken, less than a renewal.
    private var timeToLive: Duration {
        let whole = self.node.scenario.terms.timeToLive
        return self.node.surroundings.broken == .impatientWatch ? whole / 4 : whole
    }

    private func finishRound() {
        self.measureClock { isMeasured in
            guard isMeasured else { return self.rest() }
            self.node.monitor.report(.renewed)
            // A lease that merely ran out is still ours until another takes the shard.
            self.node.own(self.all.map(\.term))
            self.rest()
        }
    }

    private func rest() { self.node.after(self.node.scenario.terms.renewalInterval) { self.renew() } }

    private func failed(_ result: Result<StoreAnswer, QueueStoreError>, thenRest rests: Bool = false) {
        if case .failure(let error) = result {
            self.node.monitor.report(.notRenewed("\(error)"))
            self.node.monitor.report(error)
        }
        if rests { self.rest() }
    }

    /// Gives everything back, so that others need not wait.
    func release(_ then: @escaping () -> Void) {
        self.node.store.idempotently(.release(self.all.map(\.term))) { result in
            // They run out by themselves.
            guard case .success = result else { return then() }
            self.node.store.idempotently(.unregister) { _ in then() }
        }
    }

    /// Asks the database for the time.
    func measureClock(_ then: @escaping (Bool) -> Void) {
        self.node.store.idempotently(.time) { result in
            guard case .success(.time(let time)) = result else {
                self.failed(result)
                return then(false)
            }
            self.clock = (time, self.node.now)
            then(true)
        }
    }

    // MARK: - Asking

    /// The database's clock, reckoned on from the last measurement.
    var databaseNow: Timestamp {
        guard let clock else { preconditionFailure("nothing is delivered before the clock is known") }
        return clock.time + (self.node.now - clock.at)
    }

    /// Held or run out.
    private var all: [Lease] { self.leases.values.sorted { $0.shard < $1.shard } }

    var terms: [ShardTerm] { self.all.filter { $0.isHeld(at: self.node.now) }.map(\.term) }

    func isHeld(_ term: ShardTerm) -> Bool { self.lease(of: term)?.isHeld(at: self.node.now) ?? false }

    func permitsFinalDot(_ term: ShardTerm) -> Bool {
        if self.node.surroundings.broken == .noFinalDotMargin { return self.isHeld(term) }
        return self.lease(of: term)?.permitsFinalDot(at: self.node.now) ?? false
    }

    private func lease(of term: ShardTerm) -> Lease? {
        self.leases[term.shard].flatMap { $0.epoch == term.epoch ? $0 : nil }
    }
}
