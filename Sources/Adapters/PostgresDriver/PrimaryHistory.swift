import Synchronization

/// Which primary a server is, as it says itself.
struct ServerIdentity: Hashable, Sendable {
    /// Made with the cluster, and the same for its standbys.
    let systemIdentifier: Int64
    /// Raised by each promotion of a standby.
    let timeline: Int64
}

/// The newest primary that this process has been connected to, so that none goes back to an older one.
///
/// After a fail-over the former primary may come back and take writes, knowing nothing of its successor. What it has is out of
/// date, and what it would take is lost when it is set right. A process that has seen the successor can tell by the timeline. One
/// that has not cannot: to keep the former primary down is the fail-over manager's part (fencing). Another cluster in the place
/// of the known one is refused, too, until the process starts anew.
public final class PrimaryHistory: Sendable {
    private let newest = Mutex<ServerIdentity?>(nil)

    /// No primary has been seen.
    public init() {}

    /// Takes note of a primary, or says why it must not be used.
    func observe(_ server: ServerIdentity) -> PostgresError? {
        self.newest.withLock { newest in
            if let error = Self.objection(to: server, after: newest) { return error }
            newest = server
            return nil
        }
    }

    /// Why a primary that was good enough once must not be used any more.
    func objection(to server: ServerIdentity) -> PostgresError? {
        self.newest.withLock { Self.objection(to: server, after: $0) }
    }

    private static func objection(to server: ServerIdentity, after newest: ServerIdentity?) -> PostgresError? {
        guard let newest, server != newest else { return nil }
        guard server.systemIdentifier == newest.systemIdentifier else {
            return PostgresError(.staleServer, "another database cluster is in the place of the known one")
        }
        guard server.timeline < newest.timeline else { return nil }
        return PostgresError(
            .staleServer,
            "a former primary: its timeline is \(server.timeline), and \(newest.timeline) has been seen")
    }
}
