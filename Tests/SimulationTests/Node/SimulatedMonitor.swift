import MailModel

@testable import DatabaseHealth
@testable import EdgeNode
@testable import QueueStore

/// `StoreMonitor`: what all parts of the node experience with the database, by the product's `StoreHealth`, which counts in
/// seconds where the scenario has its unit.
final class SimulatedMonitor {
    private unowned let node: SimulatedNode
    private var health = StoreHealth()
    private var isProbing = false
    private var isSignalled = false

    init(_ node: SimulatedNode) { self.node = node }

    /// Whether mail may be accepted, and attempts may begin.
    var isOpen: Bool { self.health.isOpen }

    /// Probes until the node stops.
    func run() {
        guard !self.node.isStopping else { return }
        self.signal()
        self.node.after(StoreHealth.probeInterval * self.node.scenario.secondsPerUnit) { self.run() }
    }

    func report(_ event: StoreHealth.Event) {
        switch self.health.handle(event, at: self.node.unitClock) {
        case .none: ()
        case .broke(let fault): self.node.world.note("\(self.node.client) takes no mail: \(fault)")
        case .recovered: self.node.world.note("\(self.node.client) takes mail again")
        }
        if case .failed = event { self.signal() }
    }

    func report(_ error: QueueStoreError) {
        if let fault = StoreFault(error) { self.report(.failed(fault)) }
    }

    private func signal() {
        self.isSignalled = true
        self.node.after(.zero) { self.probeIfDue() }
    }

    private func probeIfDue() {
        guard self.isSignalled, !self.isProbing, !self.node.isStopping else { return }
        self.isSignalled = false
        guard self.health.dueProbe(at: self.node.unitClock) != nil else { return }
        self.isProbing = true
        self.node.link.send(.probe) { result in
            self.isProbing = false
            switch result {
            case .success: self.report(.probed)
            case .failure(let error):
                let refusal = QueueStoreError(error)
                self.report(.probeFailed(StoreFault(refusal) ?? StoreFault(.refused, refusal.message)))
            }
            self.probeIfDue()
        }
    }
}

extension SimulatedNode {
    /// The node's clock for values of the product that count in seconds: a second of it is a unit.
    var unitClock: MonotonicInstant {
        MonotonicInstant(nanoseconds: self.now.nanoseconds / Int64(self.scenario.secondsPerUnit))
    }
}
