import MailModel
import QueueStore

/// One run: a database, nodes and peers, and what befalls them, all from one seed.
final class Simulation {
    let seed: UInt64
    let world: World
    let scenario: Scenario
    let database: SimulatedDatabase
    private let witness: Witness
    private let surroundings: NodeSurroundings
    /// The runs of each node so far.
    private var nodes: [[SimulatedNode]]

    init(seed: UInt64, clocks: UInt64 = 0, broken: BrokenRule? = nil, isJournalling: Bool = false) {
        self.seed = seed
        self.world = World(seed: seed, clocks: clocks, isJournalling: isJournalling)
        self.scenario = Scenario(in: self.world)
        self.witness = Witness(world: self.world, scenario: self.scenario)
        self.database = SimulatedDatabase(
            world: self.world, scenario: self.scenario, witness: self.witness, broken: broken)
        var peers: [DomainName: SimulatedPeer] = [:]
        for (domain, number) in zip(self.scenario.domains, UInt32(1)...) {
            peers[domain] = SimulatedPeer(
                domain, at: .v4(0xC000_0200 + number), world: self.world, unit: self.scenario.unit)
        }
        self.surroundings = NodeSurroundings(
            scenario: self.scenario, database: self.database, peers: peers, witness: self.witness, broken: broken)
        self.nodes = Array(repeating: [], count: self.scenario.nodes)
    }

    var encounters: Encounters { self.witness.encounters }

    /// Runs it to its end; gives the promise that was broken, if one was.
    func run() -> String? {
        self.begin()
        self.world.run(until: self.world.now + self.scenario.troubled)
        self.endTrouble()
        let patience = self.scenario.longestLife * 2 + self.scenario.longestStep * 2 + .seconds(4 * 3600)
        self.world.run(until: self.world.now + patience) { self.isQuiet }
        if self.world.violation == nil {
            self.witness.finish(self.database.store)
            if self.destinationCount > 0 {
                self.world.violate("\(self.destinationCount) destinations have ended nothing and do not end")
            }
        }
        self.endNodes()
        self.world.end()
        return self.world.violation
    }

    /// Nothing is left behind: all tasks of a node that was killed end.
    private func endNodes() {
        for node in self.nodes.joined() { node.kill() }
        self.world.settle()
        for node in self.nodes.joined() where !node.hasEnded {
            self.world.violate("\(node.client) goes on after its end")
        }
    }

    private var isQuiet: Bool { self.database.store.entries.isEmpty && self.destinationCount == 0 }

    /// Destinations at work in nodes that live.
    private var destinationCount: Int {
        self.nodes.compactMap(\.last).filter { !$0.isDead }.reduce(0) { $0 + $1.destinationCount }
    }

    private func begin() {
        self.world.note("\(self.scenario)")
        for index in self.nodes.indices {
            self.world.after(self.world.duration(.zero...self.scenario.unit * 5)) { self.start(index) }
        }
        for number in 0..<self.scenario.messages {
            self.world.after(self.world.duration(.zero...self.scenario.troubled)) { self.submit(number) }
        }
        for fault in Scenario.Fault.allCases where self.scenario.faults.contains(fault) {
            for _ in 0..<self.world.int(1...4) {
                let length = self.world.duration(self.scenario.unit...self.scenario.unit * 35)
                self.world.after(self.world.duration(.zero...self.scenario.troubled)) { self.strike(fault, length) }
            }
        }
    }

    // MARK: - Nodes

    private func start(_ index: Int) {
        let client = StoreClient(name: "node-\(index)", run: self.nodes[index].count + 1)
        self.world.note("\(client) starts")
        let node = SimulatedNode(client, world: self.world, surroundings: self.surroundings)
        self.nodes[index].append(node)
        node.start()
    }

    /// A client sends a message to a node that runs; to none, if none does.
    private func submit(_ number: Int) {
        let running = self.nodes.compactMap(\.last).filter { !$0.isDead && !$0.isPaused }
        guard !running.isEmpty else { return }
        let count = self.world.int(1...2)
        let domains = self.world.shuffled(self.scenario.domains).prefix(count)
        let entries = domains.map { domain in
            AcceptedEntry(
                domain: domain,
                recipients: (1...self.world.int(1...3)).map { QueueRecipient(address: "user\(number)-\($0)@\(domain)") }
            )
        }
        // Enough senders for a host that closes upon each of them to count as down.
        let sender = "\(self.world.pick(["alice", "carol", "dave"]))@\(self.scenario.domains[0])"
        // Of a client that may relay, so that no report on it is dropped.
        var attributes = MessageAttributes()
        attributes.mayRelay = true
        self.world.pick(running).accept(
            AcceptedMessage(
                id: self.world.messageID(at: self.database.now),
                sender: self.world.chance(80) ? sender : "", attributes: attributes, entries: entries,
                body: .inline(Array("Subject: \(number)\r\n\r\n".utf8))))
    }

    // MARK: - Faults

    private func strike(_ fault: Scenario.Fault, _ length: Duration) {
        let index = self.world.int(0...self.nodes.count - 1)
        let node = self.nodes[index].last
        switch fault {
        case .pause:
            node?.pause()
            self.note(node, "stopped for \(length)")
            self.world.after(length) { node?.resume() }
        case .kill:
            node?.kill()
            self.note(node, "killed")
            self.world.after(length / 2) { self.revive(index) }
        case .stop:
            node?.stop()
            self.note(node, "is told to end")
            self.world.after(length) { self.revive(index) }
        case .cut: self.impair(node, .cut, length)
        case .flakyLink: self.impair(node, .flaky, length)
        case .slowDatabase: self.impair(node, .slow, length)
        case .databaseRestart:
            self.database.goDown()
            self.world.after(length / 4) { self.database.comeUp() }
        case .diskFull:
            self.database.isFull = true
            self.world.after(length) { self.database.isFull = false }
        case .clockJump: self.jumpClock()
        case .peers:
            let domain = self.world.pick(self.scenario.domains)
            self.surroundings.peers[domain]?.become(self.world.pick(SimulatedPeer.Mood.allCases))
        }
    }

    private func note(_ node: SimulatedNode?, _ text: @autoclosure () -> String) {
        if let node { self.world.note("\(node.client) \(text())") }
    }

    private func revive(_ index: Int) {
        guard let last = self.nodes[index].last, last.isDead else { return }
        self.start(index)
    }

    private func impair(_ node: SimulatedNode?, _ state: DatabaseLink.State, _ length: Duration) {
        guard let node else { return }
        node.link.state = state
        self.note(node, "link is \(state)")
        self.world.after(length) { node.link.state = .good }
    }

    /// Between a second and an hour, as often short as long.
    private func jumpClock() {
        let second = Duration.seconds(1)
        let size = self.world.duration(second...second * (1 << self.world.int(1...12)))
        self.database.jump(by: min(size, .seconds(3600)) * (self.world.chance(50) ? 1 : -1))
    }

    /// From now on all goes well, but for some hosts that never will.
    private func endTrouble() {
        self.world.note("the trouble is over")
        self.database.comeUp()
        self.database.isFull = false
        for domain in self.scenario.domains {
            let isLost = self.scenario.faults.contains(.peers) && self.world.chance(20)
            self.surroundings.peers[domain]?.become(
                isLost ? self.world.pick([.dead, .insecure, .defersContent]) : .healthy)
        }
        for index in self.nodes.indices {
            guard let node = self.nodes[index].last else { continue }
            node.link.state = .good
            node.resume()
            // One that was told to end may take its time.
            self.world.after(self.scenario.unit * 60) { self.revive(index) }
            self.revive(index)
        }
        self.witness.troubleEnded(at: self.database.now)
    }
}
