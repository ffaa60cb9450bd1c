/// One node's stream, as the replica sees it (control 1 to 4).
///
/// It promises: the node is sent no state older than the one it has; only one change is on its way at a time; an answer
/// counts only if it has the nonce of the last part of that change; a state that the node refused is not sent again.
///
///     awaitingBeginning ──first──▶ following ◀──current──┐
///                          └─────▶ behind ───────────────┘        each ──fault──▶ ended
public struct WatchServerMachine: Sendable {
    /// What the replica has to do, in order.
    public enum Action: Hashable, Sendable {
        /// Read the database until there is this state, or call `couldNotCatchUp`.
        case catchUp(to: UInt64)
        /// Send the change in parts, each with a nonce of `nextNonce(hasMore:)`. There is a part even if nothing differs.
        case send(WatchChange)
        /// Record that the node has this state.
        case recordAcknowledged(UInt64)
        /// Record that the node stays on what it has, and why.
        case recordRefusal(WatchRefusal)
        /// End the stream with this fault.
        case end(WatchServerFault)
    }

    private enum Phase: Hashable { case awaitingBeginning, behind, following, ended }

    private struct State {
        let version: UInt64
        let versions: ResourceVersions
        /// How the replica came to this state, if it worked that out for all of its streams.
        let step: WatchChange?
    }

    private struct ChangeInFlight {
        let change: WatchChange
        let versions: ResourceVersions
        /// The nonce of the last part, once that is sent.
        var lastNonce: UInt64?
    }

    private var phase = Phase.awaitingBeginning
    /// The state that changes for the node begin at; zero if it has none.
    private var base: UInt64 = 0
    private var held: ResourceVersions = [:]
    /// Whether `held` is known to be all of the state `base`.
    private var holdsAllOfBase = false
    private var latest: State?
    private var inFlight: ChangeInFlight?
    private var refused: UInt64?
    private var nonce: UInt64 = 0

    /// A stream that has just been opened.
    public init() {}

    /// The first message: the state that the node has (zero for none), and the version of each of its resources.
    public mutating func received(first state: UInt64, held: ResourceVersions) -> [Action] {
        guard self.phase != .ended else { return [] }
        guard self.phase == .awaitingBeginning else { return self.end(.beganTwice) }
        self.base = state
        self.held = state == 0 ? [:] : held
        let known: [Action] = state == 0 ? [] : [.recordAcknowledged(state)]
        guard let latest, latest.version >= state else {
            self.phase = .behind
            return known + [.catchUp(to: state)]
        }
        self.phase = .following
        return known + self.sendIfNeeded()
    }

    /// An answer. Without a refusal it acknowledges; with an old nonce or none (zero) it says nothing.
    public mutating func received(nonce: UInt64, refusal: WatchRefusal?) -> [Action] {
        guard self.phase != .ended else { return [] }
        guard self.phase != .awaitingBeginning else { return self.end(.answerBeforeBeginning) }
        guard nonce <= self.nonce else { return self.end(.nonceNeverSent(nonce)) }
        guard let answered = self.inFlight, answered.lastNonce == nonce else { return [] }
        guard let refusal else { return self.acknowledged(answered) }
        guard refusal.stateVersion == answered.change.target else {
            return self.end(.refusalOfAnotherState(named: refusal.stateVersion, sent: answered.change.target))
        }
        return self.refused(answered.change, refusal)
    }

    /// The latest state that the replica has read. One that is older than an earlier one changes nothing.
    ///
    /// With `step`, the change from the state before, the difference need not be found for each stream.
    public mutating func current(
        version: UInt64, versions: ResourceVersions, step: WatchChange? = nil
    ) -> [Action] {
        guard self.phase != .ended, version >= self.latest?.version ?? 0 else { return [] }
        self.latest = State(version: version, versions: versions, step: step)
        if self.phase == .behind, version >= self.base { self.phase = .following }
        return self.sendIfNeeded()
    }

    /// The replica could not read the state that the node has. The node has to go elsewhere.
    public mutating func couldNotCatchUp() -> [Action] {
        guard self.phase == .behind else { return [] }
        return self.end(.replicaIsBehind(state: self.latest?.version ?? 0, node: self.base))
    }

    /// The nonce of the next part of the change on its way; the last part has nothing behind it.
    public mutating func nextNonce(hasMore: Bool) -> UInt64 {
        precondition(self.inFlight != nil && self.inFlight?.lastNonce == nil, "parts belong to a change on its way")
        self.nonce += 1
        if !hasMore { self.inFlight?.lastNonce = self.nonce }
        return self.nonce
    }
}

extension WatchServerMachine {
    private mutating func acknowledged(_ answered: ChangeInFlight) -> [Action] {
        self.inFlight = nil
        self.refused = nil
        self.base = answered.change.target
        self.held = answered.versions
        self.holdsAllOfBase = true
        return [.recordAcknowledged(self.base)] + self.sendIfNeeded()
    }

    private mutating func refused(_ change: WatchChange, _ refusal: WatchRefusal) -> [Action] {
        self.inFlight = nil
        if refusal.resource == nil, change.base != 0 {
            // The node is not where the change begins. It is sent everything, and refuses nothing.
            (self.base, self.held, self.holdsAllOfBase) = (0, [:], true)
            return self.sendIfNeeded()
        }
        self.refused = change.target
        return [.recordRefusal(refusal)] + self.sendIfNeeded()
    }

    private mutating func sendIfNeeded() -> [Action] {
        guard self.phase == .following, self.inFlight == nil, let latest, latest.version != self.refused else {
            return []
        }
        if latest.version == self.base, latest.versions == self.held {
            // From here on both share one copy.
            (self.held, self.holdsAllOfBase) = (latest.versions, true)
            return []
        }
        let change = WatchChange(base: self.base, target: latest.version, difference: self.difference(to: latest))
        self.inFlight = ChangeInFlight(change: change, versions: latest.versions)
        return [.send(change)]
    }

    private func difference(to latest: State) -> StateDifference {
        if self.holdsAllOfBase, let step = latest.step, step.base == self.base, step.target == latest.version {
            return step.difference
        }
        return StateDifference(from: self.held, to: latest.versions)
    }

    private mutating func end(_ fault: WatchServerFault) -> [Action] {
        self.phase = .ended
        return [.end(fault)]
    }
}
