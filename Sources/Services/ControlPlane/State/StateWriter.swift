import ClusterModel
package import ControlStore
import GRPCCore
package import Logging
import ServiceSupport
package import Telemetry

/// What was changed, for metrics.
package enum ChangedResource: String, MetricLabel {
    package static let labelName = "resource"
    case domain, recipients, user, certificate, settings, token, revocation, authority
}

/// Changes the state of the cluster, with the rows of the audit.
package struct StateWriter: Sendable {
    private let store: ControlStore
    private let table: StateTable
    private let counter: Counter<ChangedResource>
    private let logger: Logger

    package init(store: ControlStore, table: StateTable, counter: Counter<ChangedResource>, logger: Logger) {
        self.store = store
        self.table = table
        self.counter = counter
        self.logger = logger
    }

    /// The state with everything that was committed before.
    func current() async throws(ControlStoreError) -> StateSnapshot { try await self.table.current() }

    /// Writes all of it or nothing, and gives the state that has it. A trial gives the state that there is.
    func write(
        _ kind: ChangedResource, _ writes: [ResourceWrite], _ changes: [ControlChange]
    ) async throws -> StateSnapshot {
        switch try await self.store.write(writes, changes) {
        case .conflict(let key, let current):
            throw Self.conflict(key, current)
        case .unchanged: return try await self.table.current()
        case .written:
            self.record(kind, changes)
            return try await self.table.current()
        }
    }

    /// Records a change that was made elsewhere than in the state.
    func record(_ kind: ChangedResource, _ changes: [ControlChange]) {
        for change in changes where !change.isDryRun {
            self.counter.increment(kind)
            self.logger.notice(
                "An operator changed the cluster.",
                metadata: [
                    LogKey.event: "\(LogEventName.admin.rawValue)", LogKey.action: "\(change.action)",
                    LogKey.rule: "\(change.object)", LogKey.user: "\(change.actor)", LogKey.reason: "\(change.reason)",
                ])
        }
    }

    private static func conflict(_ key: ResourceKey, _ current: UInt64) -> RPCError {
        let now = current == 0 ? "does not exist" : "is at version \(current)"
        return RPCError(
            code: .aborted, message: "\(key) \(now), and the change was made on another version: read it again")
    }
}
