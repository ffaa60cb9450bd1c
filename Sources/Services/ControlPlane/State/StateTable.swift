import ClusterModel
package import ControlStore
package import MailModel
import Synchronization

/// The state of the cluster as this replica knows it: one copy for everything that it serves.
///
/// It looks each 100 ms for a later version. Streams of nodes hear of changes when they have paused (control 8); a call that reads
/// the state has what was committed before it.
package final class StateTable: Sendable {
    /// How often the database is asked for its version.
    static let interval = Duration.milliseconds(100)
    /// How long a call waits for a version that another replica has shown (control 4).
    private static let catchUpTime = Duration.seconds(5)

    fileprivate struct State {
        var latest: StateSnapshot
        var published: StateSnapshot
        /// How the published state came of the one before.
        var step: WatchChange?
        var coalescing = ChangeCoalescing()
    }

    private let store: ControlStore
    private let clock: any NodeClock
    private let state: Mutex<State>
    /// Wakes streams when there is a state for them.
    package let changes = Wakeups()

    /// Reads all of the state.
    package init(store: ControlStore, clock: any NodeClock) async throws(ControlStoreError) {
        self.store = store
        self.clock = clock
        let snapshot = StateSnapshot(try await store.load())
        self.state = Mutex(State(latest: snapshot, published: snapshot))
    }

    /// The state that nodes are to follow.
    package var published: StateSnapshot { self.state.withLock(\.published) }

    /// The state as it was read last, which a stream that begins has at once.
    var latest: StateSnapshot { self.state.withLock(\.latest) }

    /// The published state with the change that led to it from the one before, which is worked out once for all streams.
    var publishedStep: (StateSnapshot, WatchChange?) { self.state.withLock { ($0.published, $0.step) } }

    /// The state with everything that was committed before this call.
    package func current() async throws(ControlStoreError) -> StateSnapshot {
        try await self.load()
        return self.latest
    }

    /// One look at the database: reads what is new, and shows it to streams when it is time for that.
    package func look() async throws(ControlStoreError) {
        try await self.load()
        let now = self.clock.now
        let isDue = self.state.withLock { state in
            guard state.latest.version > state.published.version, state.coalescing.due(at: now) else { return false }
            state.publish()
            return true
        }
        if isDue { self.changes.wake() }
    }

    /// Reads until the state is no older than this version, which somebody has already seen, and shows it to streams.
    ///
    /// - Returns: `false` if the database has no such version in time: then it is a replica's that lags, or was restored.
    package func catchUp(to version: UInt64) async -> Bool {
        let end = self.clock.now + Self.catchUpTime
        while true {
            try? await self.load()
            let isThere = self.state.withLock { state in
                guard state.latest.version >= version else { return false }
                state.publish()
                return true
            }
            if isThere {
                self.changes.wake()
                return true
            }
            guard self.clock.now < end, (try? await self.clock.sleep(for: Self.interval)) != nil else { return false }
        }
    }

    private func load() async throws(ControlStoreError) {
        while true {
            let base = self.state.withLock(\.latest)
            guard try await self.store.stateVersion() > base.version else { return }
            let next: StateSnapshot
            if let changes = try await self.store.changes(after: base.version) {
                next = base.applying(changes)
            } else {
                next = StateSnapshot(try await self.store.load())
            }
            let now = self.clock.now
            let isTaken = self.state.withLock { state in
                // Another call may have read more meanwhile.
                guard next.version > state.latest.version else { return false }
                state.latest = next
                state.coalescing.changed(at: now)
                return true
            }
            if isTaken { return }
        }
    }
}

extension StateTable.State {
    fileprivate mutating func publish() {
        guard self.latest.version > self.published.version else { return }
        self.step = WatchChange(
            base: self.published.version, target: self.latest.version,
            difference: StateDifference(from: self.published.versions, to: self.latest.versions))
        self.published = self.latest
        self.coalescing = ChangeCoalescing()
    }
}
