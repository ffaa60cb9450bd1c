package import ControlStore
package import MailModel
import ServiceSupport
import Synchronization

/// The revoked certificates that have not expired, as this replica knows them (control 16).
package final class RevocationTable: Sendable {
    private struct State {
        var fingerprints: Set<[UInt8]> = []
        var heard: MonotonicInstant?
    }

    private let store: ControlStore
    private let clock: any NodeClock
    private let state = Mutex(State())
    /// Wakes those who follow the list when it changes.
    package let changes = Wakeups()

    package init(store: ControlStore, clock: any NodeClock) {
        self.store = store
        self.clock = clock
    }

    /// When the list was last read; `nil` before the first time.
    package var heard: MonotonicInstant? { self.state.withLock(\.heard) }

    /// Whether the certificate with this SHA-256 is revoked.
    package func isRevoked(_ fingerprint: [UInt8]) -> Bool {
        self.state.withLock { $0.fingerprints.contains(fingerprint) }
    }

    /// Reads the list anew. Whoever revokes calls it, so that the next RPC at this replica is refused.
    package func refresh() async throws(ControlStoreError) {
        // The list is as old as the question.
        let asked = self.clock.now
        let revocations = try await self.store.revocations()
        let isChanged = self.state.withLock { state in
            defer { state.heard = max(state.heard ?? asked, asked) }
            guard state.fingerprints != revocations.fingerprints else { return false }
            state.fingerprints = revocations.fingerprints
            return true
        }
        if isChanged { self.changes.wake() }
    }
}
