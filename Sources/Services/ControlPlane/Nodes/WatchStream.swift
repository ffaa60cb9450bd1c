import ClusterModel
import ControlAPI
import GRPCCore
import Synchronization
import Telemetry

/// One stream of a node, which `WatchServerMachine` decides about.
///
/// The reader takes the node's messages. The sender alone writes, one change at a time. Both ask the machine under a lock and act outside
/// of it.
final class WatchStream: Sendable {
    fileprivate struct State {
        var machine = WatchServerMachine()
        /// What the machine was told of last, and what its changes lead to.
        var snapshot: StateSnapshot
        /// The change that the sender is to send.
        var pending: (change: WatchChange, state: StateSnapshot)?
    }

    private let node: String
    private let table: StateTable
    private let messages: ResourceMessages
    private let observations: NodeObservations
    private let metrics: ControlPlaneMetrics
    private let state: Mutex<State>
    private let follower: Wakeups.Follower

    init(
        of node: String, table: StateTable, messages: ResourceMessages, observations: NodeObservations,
        metrics: ControlPlaneMetrics
    ) {
        self.node = node
        self.table = table
        self.messages = messages
        self.observations = observations
        self.metrics = metrics
        // It follows before it looks, so that no change is missed.
        self.follower = table.changes.follow()
        self.state = Mutex(State(snapshot: table.latest))
    }

    // MARK: Reading

    /// The first message: what the node has.
    func begin(_ message: ControlWatchRequest) async throws {
        let held = try Self.held(message)
        try await self.act { state in
            state.machine.current(version: state.snapshot.version, versions: state.snapshot.versions)
                + state.machine.received(first: message.stateVersion, held: held)
        }
        self.metrics.snapshots.increment(.sent)
    }

    /// A later message: the answer to a response.
    func received(_ message: ControlWatchRequest) async throws {
        let refusal = message.hasErrorDetail ? WatchRefusal(message.errorDetail) : nil
        try await self.act { $0.machine.received(nonce: message.nonce, refusal: refusal) }
    }

    private static func held(_ message: ControlWatchRequest) throws(RPCError) -> ResourceVersions {
        guard message.nonce == 0, !message.hasErrorDetail else {
            throw .invalid("nonce", "the first message of a stream answers nothing")
        }
        var held: ResourceVersions = [:]
        for (index, resource) in message.initialResources.enumerated() {
            guard let key = ResourceKey(resource.key) else {
                throw .invalid("initial_resources[\(index)].key", "there is no such resource")
            }
            held[key] = resource.version
        }
        return held
    }

    // MARK: Sending

    /// Sends changes until the task is cancelled.
    func send(_ writer: RPCWriter<ControlWatchResponse>) async throws {
        try await self.sendPending(writer)
        for await _ in self.follower.wakeups {
            try await self.sendPending(writer)
        }
    }

    private func sendPending(_ writer: RPCWriter<ControlWatchResponse>) async throws {
        while true {
            let (published, step) = self.table.publishedStep
            try await self.act { $0.update(to: published, step: step) }
            guard let pending = self.state.withLock({ $0.pending.take() }) else { return }
            try await self.send(pending.change, to: pending.state, writer)
        }
    }

    private func send(
        _ change: WatchChange, to state: StateSnapshot, _ writer: RPCWriter<ControlWatchResponse>
    ) async throws {
        var parts = WatchParts(change, to: state, self.messages)
        while var part = try parts.next() {
            let hasMore = part.hasMore_p
            part.nonce = self.state.withLock { $0.machine.nextNonce(hasMore: hasMore) }
            try await writer.write(part)
        }
        self.observations.sent(change.target, to: self.node)
    }

    // MARK: What the machine says

    private func act(_ decide: (inout State) -> [WatchServerMachine.Action]) async throws {
        let actions = self.state.withLock { state in
            let actions = decide(&state)
            // Under this lock, since a moment later the machine may have been told of a later state.
            for case .send(let change) in actions { state.pending = (change, state.snapshot) }
            return actions
        }
        for action in actions {
            switch action {
            case .catchUp(let version): try await self.catchUp(to: version)
            case .send: self.follower.wake()
            case .recordAcknowledged(let version): self.observations.acknowledged(version, by: self.node)
            case .recordRefusal(let refusal):
                self.metrics.refusals.increment()
                self.observations.refused(refusal, by: self.node)
            case .end(let fault): throw RPCError(fault)
            }
        }
    }

    /// The node has seen a state that this replica has not (control 4).
    private func catchUp(to version: UInt64) async throws {
        let isThere = await self.table.catchUp(to: version)
        if !isThere { self.metrics.snapshots.increment(.behind) }
        let published = self.table.published
        try await self.act { state in
            isThere ? state.update(to: published, step: nil) : state.machine.couldNotCatchUp()
        }
    }
}

extension WatchStream.State {
    /// Tells the machine of a later state.
    fileprivate mutating func update(to next: StateSnapshot, step: WatchChange?) -> [WatchServerMachine.Action] {
        guard next.version > self.snapshot.version else { return [] }
        self.snapshot = next
        return self.machine.current(version: next.version, versions: next.versions, step: step)
    }
}

extension RPCError {
    fileprivate init(_ fault: WatchServerFault) {
        let code: RPCError.Code =
            switch fault {
            case .replicaIsBehind: .unavailable
            case .beganTwice, .answerBeforeBeginning, .nonceNeverSent, .refusalOfAnotherState: .invalidArgument
            }
        self.init(code: code, message: "\(fault)")
    }
}

extension WatchRefusal {
    init(_ message: ControlRefusal) {
        self.init(
            stateVersion: message.stateVersion, resource: message.hasResource ? ResourceKey(message.resource) : nil,
            reason: message.reason)
    }
}
