import ClusterModel
public import MailModel
import PostgresDriver

/// How long what is over is kept.
public struct RetentionTerms: Hashable, Sendable {
    /// Removed resources: a replica that was away for longer loads all of the state.
    public var removedResources = Duration.seconds(7 * 86_400)
    /// Expired tokens.
    public var tokens = Duration.seconds(7 * 86_400)
    /// Expired certificates: longer than their holders may come back.
    public var certificates = Duration.seconds(30 * 86_400)

    /// A week for removed resources and tokens, 30 days for certificates.
    public init() {}
}

extension ControlStore {
    /// The database's clock, which decides what has expired.
    public func databaseTime() async throws(ControlStoreError) -> Timestamp {
        try await self.row("SELECT clock_timestamp()").moment(0)
    }

    /// Forgets what is over for so long. The latest certificate of each holder stays.
    ///
    /// - Returns: whether it was done; not under an old term.
    public func sweep(_ terms: RetentionTerms, under term: LeaderTerm) async throws(ControlStoreError) -> Bool {
        let statements = [
            Statement("SELECT FROM control.cluster FOR NO KEY UPDATE"),
            Statement("SELECT control.fence($1)", term.epoch.rawValue),
            Statement(
                "DELETE FROM control.token WHERE expires_at < clock_timestamp() - $1 * interval '1 microsecond'",
                terms.tokens.wholeMicroseconds),
            Statement(
                """
                DELETE FROM control.certificate c WHERE c.not_after < clock_timestamp() - $1 * interval '1 microsecond'
                    AND NOT EXISTS (SELECT FROM control.identity i WHERE i.certificate_sha256 = c.sha256)
                """, terms.certificates.wholeMicroseconds),
            Statement(
                "SELECT control.sweep_removed(clock_timestamp() - $1 * interval '1 microsecond')",
                terms.removedResources.wholeMicroseconds),
        ]
        do throws(ControlStoreError) {
            _ = try await self.idempotently(statements)
            return true
        } catch {
            guard error.cause?.sqlState == "RL105" else { throw error }
            return false
        }
    }
}
