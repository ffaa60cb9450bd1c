/// The stream that a node follows, as the node sees it (control 1 to 5).
///
/// It collects the parts of a change and hands it over as a whole. It promises: what the node has only gets newer; a
/// change that does not begin at the node's state is not applied; what is refused changes nothing.
public struct WatchClientMachine<Content: Sendable>: Sendable {
    /// What to do with a part.
    public enum OnPart: Sendable {
        /// Send this answer.
        case answer(WatchAnswer)
        /// Check the change and apply it, and then call `applied` or `refused`.
        case apply(WatchedChange<Content>)
        /// End the stream, and open one to another replica.
        case end(WatchClientFault)
    }

    private struct Collected {
        let base: UInt64
        let target: UInt64
        var count = 0
        var changed: [WatchedResource<Content>] = []
        var removed: [ResourceKey] = []
    }

    /// The state that the node has; zero for none.
    public private(set) var version: UInt64
    /// The version of each of its resources.
    public private(set) var held: ResourceVersions
    private let maximumResources: Int
    private var nonce: UInt64 = 0
    private var collected: Collected?
    /// The state that is being applied, and the response to answer then.
    private var applying: (target: UInt64, nonce: UInt64)?

    /// A node that has this state, from its disk for instance. A change names at most so many resources.
    public init(version: UInt64 = 0, held: ResourceVersions = [:], maximumResources: Int = 1_000_000) {
        self.version = version
        self.held = held
        self.maximumResources = maximumResources
    }

    /// A stream was opened. Nonces begin anew, and what the stream before left unfinished is forgotten.
    public mutating func connected() -> WatchBeginning {
        self.nonce = 0
        self.collected = nil
        self.applying = nil
        return WatchBeginning(stateVersion: self.version, held: self.held)
    }

    /// A response came.
    public mutating func received(_ part: WatchPart<Content>) -> OnPart {
        if let fault = self.fault(of: part) { return .end(fault) }
        self.nonce = part.nonce
        self.collect(part)
        guard !part.hasMore, let change = self.collected else {
            return .answer(WatchAnswer(nonce: part.nonce, refusal: nil))
        }
        self.collected = nil
        return self.finish(change)
    }

    /// Whether the node may put the change into force: not once it has a later state, by a later stream.
    public func permits(_ change: WatchedChange<Content>) -> Bool { change.target >= self.version }

    /// The change is in force, or is not permitted any more. Gives the answer, unless the stream is another one by now.
    public mutating func applied(_ change: WatchedChange<Content>) -> WatchAnswer? {
        guard self.permits(change) else {
            return self.refused(change, resource: nil, reason: "The node has state \(self.version) by now.")
        }
        self.version = change.target
        self.held = change.versions
        return self.answer(change.target, refusal: nil)
    }

    /// The node does not take the change, and stays on what it has. Name the resource that is at fault, if there is one:
    /// without it the replica sends everything once before it takes no for an answer.
    public mutating func refused(
        _ change: WatchedChange<Content>, resource: ResourceKey?, reason: String
    ) -> WatchAnswer? {
        self.answer(
            change.target, refusal: WatchRefusal(stateVersion: change.target, resource: resource, reason: reason))
    }
}

extension WatchClientMachine {
    private func fault(of part: WatchPart<Content>) -> WatchClientFault? {
        guard part.nonce == self.nonce &+ 1 else {
            return .nonceOutOfOrder(expected: self.nonce &+ 1, got: part.nonce)
        }
        guard self.applying == nil else { return .changeBeforeAnswer }
        guard part.target >= self.version else { return .olderState(offered: part.target, held: self.version) }
        if let collected, (collected.base, collected.target) != (part.base, part.target) { return .partsOfTwoChanges }
        let count = (self.collected?.count ?? 0) + part.changed.count + part.removed.count
        guard count <= self.maximumResources else { return .tooManyResources(limit: self.maximumResources) }
        return part.changed.lazy.compactMap(self.fault).first
    }

    private func fault(of resource: WatchedResource<Content>) -> WatchClientFault? {
        guard let held = self.held[resource.key], resource.version < held else { return nil }
        return .olderResource(resource.key, offered: resource.version, held: held)
    }

    private mutating func collect(_ part: WatchPart<Content>) {
        var change = self.collected ?? Collected(base: part.base, target: part.target)
        change.count += part.changed.count + part.removed.count
        // Contents that cannot be applied are not kept.
        if self.beginsHere(change) {
            change.changed += part.changed
            change.removed += part.removed
        }
        self.collected = change
    }

    private func beginsHere(_ change: Collected) -> Bool { change.base == 0 || change.base == self.version }

    private mutating func finish(_ change: Collected) -> OnPart {
        guard self.beginsHere(change) else {
            let reason = "The change begins at state \(change.base), and this node has state \(self.version)."
            return self.refuse(change, nil, reason)
        }
        var named: Set<ResourceKey> = []
        let keys = change.changed.map(\.key) + change.removed
        if let twice = keys.first(where: { !named.insert($0).inserted }) {
            return self.refuse(change, twice, "The change names \(twice) twice.")
        }
        self.applying = (change.target, self.nonce)
        return .apply(self.whole(change))
    }

    private func whole(_ change: Collected) -> WatchedChange<Content> {
        var versions = change.base == 0 ? [:] : self.held
        for key in change.removed { versions[key] = nil }
        for resource in change.changed { versions[resource.key] = resource.version }
        let candidates = change.base == 0 ? Array(self.held.keys) : change.removed
        let gone = candidates.filter { self.held[$0] != nil && versions[$0] == nil }.sorted()
        return WatchedChange(
            base: change.base, target: change.target, changed: change.changed, removed: gone, versions: versions)
    }

    private func refuse(_ change: Collected, _ resource: ResourceKey?, _ reason: String) -> OnPart {
        let refusal = WatchRefusal(stateVersion: change.target, resource: resource, reason: reason)
        return .answer(WatchAnswer(nonce: self.nonce, refusal: refusal))
    }

    private mutating func answer(_ target: UInt64, refusal: WatchRefusal?) -> WatchAnswer? {
        guard let applying, applying.target == target else { return nil }
        self.applying = nil
        return WatchAnswer(nonce: applying.nonce, refusal: refusal)
    }
}
