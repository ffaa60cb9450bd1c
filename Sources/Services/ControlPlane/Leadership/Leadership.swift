import ClusterModel
package import ControlStore
package import Logging
package import MailModel
package import PostgresDriver
import ServiceSupport
import Synchronization
import Telemetry

/// Takes part in the choice of the replica that leads, by a lease in the database, and does what only that one does: it forgets what is
/// long over, and counts nodes.
package final class Leadership: Sendable {
    /// How long a lease lasts, and how often it is renewed.
    static let lease = Duration.seconds(10)
    static let interval = Duration.seconds(3)
    private static let sweepInterval = Duration.seconds(600)

    private struct State {
        var term: LeaderTerm?
        var sweptAt: MonotonicInstant?
    }

    private let store: ControlStore
    private let table: StateTable
    private let replica: String
    private let incarnation: PostgresUUID
    private let clock: any NodeClock
    private let metrics: ControlPlaneMetrics
    private let logger: Logger
    private let state = Mutex(State())

    package init(
        store: ControlStore, table: StateTable, replica: String, incarnation: PostgresUUID, clock: any NodeClock,
        metrics: ControlPlaneMetrics, logger: Logger
    ) {
        self.store = store
        self.table = table
        self.replica = replica
        self.incarnation = incarnation
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    /// Renews or takes the lease, and does the leader's work.
    package func step() async throws(ControlStoreError) {
        let term: LeaderTerm?
        do throws(ControlStoreError) {
            term = try await self.store.lead(self.replica, incarnation: self.incarnation, for: Self.lease)
        } catch {
            // Without the database nobody is told to be the leader.
            self.become(nil)
            throw error
        }
        self.become(term)
        guard let term else { return }
        try await self.countNodes()
        try await self.sweepIfDue(term)
    }

    /// Gives the lead back.
    package func end() async {
        guard let term = self.state.withLock(\.term) else { return }
        self.become(nil)
        try? await self.store.resign(term)
    }

    private func become(_ term: LeaderTerm?) {
        let former = self.state.withLock { state in
            defer { state.term = term }
            return state.term
        }
        self.metrics.leader.set(term != nil)
        if term == nil { for label in StandingLabel.allCases { self.metrics.nodes.set(label, to: 0) } }
        guard former != term else { return }
        self.logger.notice(
            "\(term == nil ? "This replica leads no more." : "This replica leads.")",
            metadata: [
                LogKey.event: "\(LogEventName.leadership.rawValue)", LogKey.node: "\(self.replica)",
                LogKey.count: .stringConvertible(term?.epoch.rawValue ?? former?.epoch.rawValue ?? 0),
            ])
    }

    private func countNodes() async throws(ControlStoreError) {
        var census = NodeCensus()
        try await census.count(in: self.store, desired: self.table.published.version, at: self.clock.date)
        for label in StandingLabel.allCases {
            self.metrics.nodes.set(label, to: census.counts[label.standing, default: 0])
        }
    }

    private func sweepIfDue(_ term: LeaderTerm) async throws(ControlStoreError) {
        let now = self.clock.now
        let isDue = self.state.withLock { state in
            if let last = state.sweptAt, now - last < Self.sweepInterval { return false }
            state.sweptAt = now
            return true
        }
        if isDue { _ = try await self.store.sweep(RetentionTerms(), under: term) }
    }
}
