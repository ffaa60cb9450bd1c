import MailModel
import QueueStore
import ShardLeases

@testable import Delivery

/// The attempts of a node that are under way, as its `ActivityTable` tells, and what came of each, as the peers know it: for the
/// witness.
struct WatchedAttempts {
    private let client: StoreClient
    private let witness: Witness
    /// By name, with when each was first seen.
    private var underWay: [AttemptName: Int] = [:]
    /// Those whose message has begun and not ended, those whose message has begun, and those of whom a host has answered for somebody.
    private var open: Set<AttemptName> = []
    private var begun: Set<AttemptName> = []
    private var answered: Set<AttemptName> = []
    /// When no connection to a domain's host was to be had.
    private var failures: [DomainName: Int] = [:]
    private var moment = 0

    /// A moment at which all attempts are old.
    private static let future = Timestamp(seconds: 1 << 40)

    init(of client: StoreClient, by witness: Witness) {
        self.client = client
        self.witness = witness
    }

    /// A message begins. `false` when it was under way already.
    mutating func begins(_ name: AttemptName) -> Bool {
        self.begun.insert(name)
        return self.open.insert(name).inserted
    }

    /// A message is over.
    mutating func ends(_ name: AttemptName, hasAnswer: Bool) {
        self.open.remove(name)
        if hasAnswer { self.answered.insert(name) }
    }

    mutating func failed(to domain: DomainName) {
        self.moment += 1
        self.failures[domain] = self.moment
    }

    /// Tells of attempts that have begun or ended since the last look.
    mutating func look(at deliveries: DeliveryParts) {
        let names = deliveries.activity.snapshot(at: Self.future).underWay.map {
            AttemptName(key: $0.key, number: $0.attempt, epoch: $0.epoch, client: self.client)
        }
        guard !names.isEmpty || !self.underWay.isEmpty else { return }
        let present = Set(names)
        for name in self.underWay.keys.filter({ !present.contains($0) }).sorted(by: AttemptName.isFirst) {
            self.ended(name, deliveries.gate)
        }
        for name in names.filter({ self.underWay[$0] == nil }).sorted(by: AttemptName.isFirst) {
            self.moment += 1
            self.underWay[name] = self.moment
            self.witness.attemptBegan(name)
        }
    }

    private mutating func ended(_ name: AttemptName, _ gate: DeliveryGate) {
        let began = self.underWay.removeValue(forKey: name) ?? 0
        let (wasAnswered, wasBegun) = (self.answered.remove(name) != nil, self.begun.remove(name) != nil)
        // What was cut short by the node itself says nothing of the destination.
        let isWhole = gate.isOpen(for: name.term)
        let hasFailed = !wasBegun && self.failures[name.key.domain, default: 0] > began
        self.witness.attemptEnded(
            name, !isWhole ? .nothing : wasAnswered ? .answered : hasFailed ? .failed : .nothing)
    }
}
