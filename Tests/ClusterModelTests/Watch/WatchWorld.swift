import ClusterModel
import LabSupport

/// A cluster of three replicas and one node, whose steps follow from a seed.
///
/// The state changes, and the node refuses some contents. Replicas lag by any distance. A stream carries parts one way
/// and answers the other, each later than it was sent. It is lost at any moment, with all that is on its way. Answers
/// come again, and a change may be applied so slowly that the next stream is open by then.
struct WatchWorld {
    struct ClusterState {
        let version: UInt64
        let versions: ResourceVersions
    }

    private var chance: SplitMix
    /// Whether the node takes so long to apply a change that streams come and go meanwhile.
    private let isSlow: Bool
    private var history = [ClusterState(version: 0, versions: [:])]
    /// Which state of the history each replica has read.
    private var replicas = [0, 0, 0]
    private var stream: WatchWorldStream?
    private(set) var node = WatchClientMachine<String>()
    /// What the node serves.
    private(set) var contents: [ResourceKey: String] = [:]
    private var applying: [(change: WatchedChange<String>, contents: [ResourceKey: String])] = []
    private var refused: Set<String> = []
    private var seen = ClusterState(version: 0, versions: [:])
    /// The promises that did not hold.
    private(set) var broken: [String] = []
    /// How often each thing happened: a test that never saw it has shown nothing.
    private(set) var counts: [String: Int] = [:]

    init(seed: UInt64) {
        self.chance = SplitMix(seed: seed)
        self.isSlow = Bool.random(using: &self.chance)
    }

    var latest: ClusterState { self.history[self.history.count - 1] }

    /// Anything that can happen.
    mutating func step() {
        switch Int.random(in: 0..<100, using: &self.chance) {
        case 0..<10: self.write()
        case 10..<22: self.read(Int.random(in: 0..<3, using: &self.chance))
        case 22..<26: self.lose("stream lost")
        case 26..<38: self.connect()
        case 38..<40: self.giveUp()
        case 40..<44: self.repeatAnswer()
        case 44..<60: self.sendPart()
        case 60..<76: self.deliverPart()
        case 76..<90: self.deliverMessage()
        case 90..<(self.isSlow ? 92 : 100): self.finishApplication()
        default: break
        }
        self.check()
    }

    /// What the node refuses is replaced, each replica reads the latest state, and what is on its way arrives.
    mutating func settle() {
        let bad = self.latest.versions.filter { self.refused.contains(Self.content($0.key, $0.value)) }
        self.append(changed: bad.keys.sorted() + [domain("last")], removed: [])
        for replica in self.replicas.indices { self.read(replica, upTo: self.history.count - 1) }
        for _ in 0..<150 {
            self.connect()
            self.sendPart()
            self.deliverPart()
            self.deliverMessage()
            self.finishApplication()
            self.check()
        }
    }
}

// MARK: - The state and the replicas

extension WatchWorld {
    static func content(_ key: ResourceKey, _ version: UInt64) -> String { "\(key)@\(version)" }

    private mutating func write() {
        let names = ["a", "b", "c", "d", "e", "f"].map(domain)
        let changed = names.filter { _ in Int.random(in: 0..<4, using: &self.chance) == 0 }
        let removed = names.filter { _ in Int.random(in: 0..<8, using: &self.chance) == 0 }
        self.append(changed: changed, removed: removed)
        if let bad = changed.first, Int.random(in: 0..<4, using: &self.chance) == 0 {
            self.refused.insert(Self.content(bad, self.latest.version))
        }
    }

    private mutating func append(changed: [ResourceKey], removed: [ResourceKey]) {
        let version = self.latest.version + UInt64.random(in: 1...3, using: &self.chance)
        var versions = self.latest.versions
        for key in removed { versions[key] = nil }
        for key in changed { versions[key] = version }
        self.history.append(ClusterState(version: version, versions: versions))
    }

    private mutating func read(_ replica: Int, upTo last: Int? = nil) {
        let before = self.replicas[replica]
        // A few states at a time, so that the replicas are often far from each other.
        let some = before...min(before + 4, self.history.count - 1)
        let index = last ?? Int.random(in: some, using: &self.chance)
        self.replicas[replica] = index
        guard let stream, stream.replica == replica else { return }
        let (old, new) = (self.history[before], self.history[index])
        let step = WatchChange(
            base: old.version, target: new.version, difference: StateDifference(from: old.versions, to: new.versions))
        let isKnown = old.version > 0 && Bool.random(using: &self.chance)
        self.act { $0.server.current(version: new.version, versions: new.versions, step: isKnown ? step : nil) }
        // A reading that began earlier ends later.
        self.act { $0.server.current(version: old.version, versions: old.versions) }
    }

    private mutating func giveUp() {
        self.act { $0.server.couldNotCatchUp() }
    }
}

// MARK: - The stream

extension WatchWorld {
    private mutating func connect() {
        guard self.stream == nil else { return }
        let replica = Int.random(in: 0..<3, using: &self.chance)
        self.stream = WatchWorldStream(replica: replica, beginning: self.node.connected())
        guard Bool.random(using: &self.chance) else { return }
        let state = self.history[self.replicas[replica]]
        self.act { $0.server.current(version: state.version, versions: state.versions) }
    }

    private mutating func lose(_ reason: String) {
        guard let lost = self.stream else { return }
        self.counts[reason, default: 0] += 1
        if !lost.toNode.isEmpty { self.counts["parts lost", default: 0] += 1 }
        if !lost.toReplica.isEmpty { self.counts["answers lost", default: 0] += 1 }
        self.stream = nil
    }

    private mutating func sendPart() {
        guard let part = self.stream?.unsent.first else { return }
        self.stream?.unsent.removeFirst()
        let versions = self.history.first { $0.version == part.change.target }?.versions ?? [:]
        let hasMore = self.stream?.unsent.isEmpty == false
        guard let nonce = self.stream?.server.nextNonce(hasMore: hasMore) else { return }
        let resources = part.changed.map { key in
            let version = versions[key] ?? 0
            return WatchedResource(key: key, version: version, content: Self.content(key, version))
        }
        self.stream?.toNode.append(
            WatchPart(
                nonce: nonce, base: part.change.base, target: part.change.target, changed: resources,
                removed: part.removed, hasMore: hasMore))
    }

    private mutating func deliverMessage() {
        guard let stream else { return }
        if let beginning = stream.beginning {
            self.stream?.beginning = nil
            self.act { $0.server.received(first: beginning.stateVersion, held: beginning.held) }
            if self.replicas[stream.replica] > 0 { self.read(stream.replica, upTo: self.replicas[stream.replica]) }
        } else if let answer = stream.toReplica.first {
            self.stream?.toReplica.removeFirst()
            self.act { $0.server.received(nonce: answer.nonce, refusal: answer.refusal) }
        }
    }

    /// An old answer comes again.
    private mutating func repeatAnswer() {
        guard let old = self.stream?.answered.dropLast().randomElement(using: &self.chance) else { return }
        self.counts["stale nonce", default: 0] += 1
        self.stream?.toReplica.append(old)
    }

    private mutating func act(_ event: (inout WatchWorldStream) -> [WatchServerMachine.Action]) {
        guard var stream else { return }
        let actions = event(&stream)
        for action in actions {
            switch action {
            case .catchUp(let version): self.counts[version > 0 ? "catch-up" : "nothing read", default: 0] += 1
            case .send(let change):
                if let rule = stream.ruleBroken(by: change) { self.broken.append(rule) }
                stream.split(change, using: &self.chance)
            case .recordAcknowledged(let version):
                if version > self.node.version { self.broken.append("\(version) is not what the node has") }
            case .recordRefusal(let refusal):
                self.counts["refusal", default: 0] += 1
                stream.refused.insert(refusal.stateVersion)
            case .end(let fault):
                guard case .replicaIsBehind = fault else { return self.broken.append("\(fault)") }
                return self.lose("sent elsewhere")
            }
        }
        self.stream = stream
    }
}

// MARK: - The node

extension WatchWorld {
    private mutating func deliverPart() {
        guard let part = self.stream?.toNode.first else { return }
        self.stream?.toNode.removeFirst()
        switch self.node.received(part) {
        case .answer(let answer):
            if answer.refusal != nil { self.counts["not at the base", default: 0] += 1 }
            self.stream?.answer(answer)
        case .apply(let change): self.applying.append((change, self.contents.applying(change)))
        case .end(.olderState): self.lose("older state offered")
        case .end(let fault): self.broken.append("\(fault)")
        }
    }

    private mutating func finishApplication() {
        guard let index = self.applying.indices.randomElement(using: &self.chance) else { return }
        let (change, contents) = self.applying.remove(at: index)
        if !self.node.permits(change) { self.counts["late application", default: 0] += 1 }
        let bad = change.changed.first { self.refused.contains($0.content) }
        let answer: WatchAnswer?
        if let bad {
            answer = self.node.refused(change, resource: bad.key, reason: "refused")
        } else {
            if self.node.permits(change) { self.contents = contents }
            answer = self.node.applied(change)
            self.counts[change.hasEverything ? "everything applied" : "difference applied", default: 0] += 1
        }
        if let answer { self.stream?.answer(answer) }
    }

    private mutating func check() {
        let held = self.node.held
        let state = self.history.first { $0.version == self.node.version }
        if self.node.version < self.seen.version { self.broken.append("the node's state became older") }
        for (key, version) in held where version < self.seen.versions[key] ?? 0 {
            self.broken.append("\(key) became older")
        }
        if state?.versions != held { self.broken.append("what the node holds is no state") }
        let expected = Dictionary(uniqueKeysWithValues: held.map { ($0, Self.content($0, $1)) })
        if self.contents != expected { self.broken.append("what the node serves is not what it holds") }
        for content in self.contents.values where self.refused.contains(content) {
            self.broken.append("the node serves \(content), which it refuses")
        }
        self.seen = ClusterState(version: self.node.version, versions: held)
    }
}

extension [ResourceKey: String] {
    /// What a node serves after this change.
    fileprivate func applying(_ change: WatchedChange<String>) -> Self {
        var contents = change.hasEverything ? [:] : self
        for key in change.removed { contents[key] = nil }
        for resource in change.changed { contents[resource.key] = resource.content }
        return contents
    }
}
