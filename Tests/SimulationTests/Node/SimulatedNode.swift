import ClusterModel
import DatabaseHealth
import DeliveryQueue
import MailModel
import ServiceSupport
import ShardLeases

@testable import Delivery
@testable import PostgresDriver
@testable import QueueStore

/// What the nodes of one world share.
struct NodeSurroundings {
    let scenario: Scenario
    let database: SimulatedDatabase
    let peers: [DomainName: SimulatedPeer]
    let witness: Witness
    let broken: BrokenRule?
}

/// One run of `relayd`: the product's `DeliveryService` and `StoreMonitor`, in a process of the world.
final class SimulatedNode: SimulatedProcess, @unchecked Sendable {
    let client: StoreClient
    let surroundings: NodeSurroundings
    private(set) lazy var link = DatabaseLink(
        self, client: self.client, database: self.surroundings.database, unit: self.unit)
    /// On which a unit of the scenario is a second, so that the product's waits are as long as the scenario's.
    private(set) lazy var clock = SimulatedClock(self, worldSeconds: self.scenario.secondsPerUnit)
    private(set) lazy var executor = SimulatedTaskExecutor(self)
    private(set) lazy var eventLoop = SimulatedEventLoop(
        self, tasks: self.executor, clock: self.clock,
        forgets: self.surroundings.broken == .destinationForgotten ? Destination.unheldPause : nil)
    private let hints = DueHints()
    private(set) var parts: NodeParts?
    private var task: Task<Void, Never>?
    /// The task has come to its end.
    private(set) var hasEnded = false
    private(set) var isStopping = false
    private var shutdown: [() -> Void] = []
    /// Attempts by the tags that their entries have.
    private var tags: [String: AttemptName] = [:]
    private var connections: [SimulatedConnection] = []
    private lazy var attempts = WatchedAttempts(of: self.client, by: self.witness)

    var scenario: Scenario { self.surroundings.scenario }
    var witness: Witness { self.surroundings.witness }
    var unit: Duration { self.scenario.unit }

    init(_ client: StoreClient, world: World, surroundings: NodeSurroundings) {
        self.client = client
        self.surroundings = surroundings
        super.init(world: world)
    }

    // MARK: - From beginning to end

    func start() {
        self.task = Task(executorPreference: self.executor) {
            await self.live()
            self.kill()
            self.hasEnded = true
        }
    }

    /// Without a first look at the database's clock nothing begins.
    private func live() async {
        let leases = SimulatedLeaseStore(self)
        var clock: DatabaseClock?
        while clock == nil {
            clock = try? await DatabaseClock(store: leases, time: SimulatedClock(self))
            if clock == nil, (try? await self.clock.sleep(for: .seconds(1))) == nil { return }
        }
        guard let clock else { return }
        let parts = NodeParts(of: self, clock: clock, leases: leases, hints: self.hints)
        self.parts = parts
        await withTaskGroup { group in
            group.addTask { await parts.monitor.run(until: Shutdown { try? await self.suspend { _ in } }) }
            await parts.service.run(until: Shutdown { await self.awaitShutdown() })
            group.cancelAll()
        }
    }

    /// SIGTERM.
    func stop() {
        self.isStopping = true
        let waiting = self.shutdown
        self.shutdown.removeAll()
        for resume in waiting { self.take(resume) }
    }

    private func awaitShutdown() async {
        guard !self.isStopping else { return }
        try? await self.suspend { self.shutdown.append($0) }
    }

    override func kill() {
        super.kill()
        self.task?.cancel()
    }

    // MARK: - Mail

    /// A client sends a message, which `QueueWriter` stores; success is 250. The hint saves the wait for the poll.
    func accept(_ message: AcceptedMessage) {
        guard !self.isStopping, let parts, parts.monitor.isOpen else { return }
        self.enqueue(message, attempts: 6) { result in
            switch result {
            case .failure(let error): parts.monitor.report(error)
            case .success:
                parts.monitor.report(.wrote)
                self.witness.accepted(message)
                let due = message.entries.map { entry in
                    DueEntry(
                        shard: self.scenario.map.shard(for: entry.domain, message: message.id),
                        destination: entry.domain)
                }
                for entry in due { self.witness.hinted(entry, to: self.client) }
                self.hints.add(due)
            }
        }
    }

    private func enqueue(
        _ message: AcceptedMessage, attempts: Int, _ then: @escaping (Result<Void, QueueStoreError>) -> Void
    ) {
        self.link.send(.enqueue(message)) { result in
            switch result {
            case .success: then(.success(()))
            case .failure(let error) where attempts > 1 && error.mayBeRepeatedIdempotently:
                self.enqueue(message, attempts: attempts - 1, then)
            case .failure(let error): then(.failure(QueueStoreError(error)))
            }
        }
    }

    /// Destinations that are at work.
    var destinationCount: Int { self.parts?.service.deliveries.openCount ?? 0 }

    // MARK: - Attempts

    /// A name for the attempt at an entry that was read in this term.
    func tag(_ entry: QueueEntry, in term: ShardTerm) -> String {
        let name = AttemptName(of: entry, epoch: term.epoch, by: self.client)
        let tag = "\(entry.key.message)@\(entry.key.domain)+\(entry.attempts)e\(term.epoch.rawValue)"
        self.tags[tag] = name
        return tag
    }

    func attempt(_ tag: String?) -> AttemptName {
        guard let name = tag.flatMap({ self.tags[$0] }) else { preconditionFailure("every entry has a tag") }
        return name
    }

    /// The envelope of an attempt's message is sent.
    func begins(_ name: AttemptName) {
        if !self.attempts.begins(name) { self.world.violate("\(name) is under way twice") }
    }

    /// What came of it is known to the node.
    func ends(_ name: AttemptName, hasAnswer: Bool) { self.attempts.ends(name, hasAnswer: hasAnswer) }

    /// The peer could not be reached.
    func hasFailed(_ peer: SimulatedPeer) { self.attempts.failed(to: peer.domain) }

    override func tookSteps() {
        guard let parts, !self.isDead else { return }
        self.attempts.look(at: parts.deliveries)
        if !self.isPaused { self.witness.tookSteps(self.client) }
    }

    // MARK: - The network

    func peer(at address: IPAddress) -> SimulatedPeer? {
        self.surroundings.peers.values.first { $0.address == address }
    }

    /// Some time, as networks take it.
    func aMoment(ofUnits most: Double = 0.5) -> Duration { self.world.duration(self.unit / 100...self.unit * most) }

    /// Stops the process now and then, between two of its steps.
    func mayBeStopped() {
        guard self.scenario.faults.contains(.pause), self.world.chance(3) else { return }
        self.pause()
        self.world.after(self.world.duration(self.unit...self.unit * 30)) { self.resume() }
    }

    func opened(_ connection: SimulatedConnection) { self.connections.append(connection) }

    func closed(_ connection: SimulatedConnection) { self.connections.removeAll { $0 === connection } }

    func closeConnections() { for connection in self.connections { connection.cutOff() } }
}
