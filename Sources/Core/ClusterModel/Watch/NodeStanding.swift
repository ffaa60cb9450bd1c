public import MailModel

/// How a node stands, as its controller sees it (control 9).
///
/// What was sent is not acknowledged, and what is acknowledged is not served. Only what a node says that it serves makes
/// it current.
public enum NodeStanding: String, Hashable, CaseIterable, Sendable {
    /// It follows a stream, and serves the latest state.
    case current
    /// It follows a stream, and does not serve the latest state yet.
    case behind
    /// It has refused the latest state.
    case refusing
    /// Nothing was heard from it for a while.
    case away
    /// Its certificate has expired while it was away.
    case expired
    /// It is revoked.
    case revoked

    /// What is known of a node.
    public struct Facts: Hashable, Sendable {
        /// Whether it is refused everything.
        public let isRevoked: Bool
        /// The end of its certificate.
        public let certificateNotAfter: Timestamp
        /// When a replica last heard from it.
        public let lastSeen: Timestamp?
        /// The state that it says it serves; zero for none.
        public let served: UInt64
        /// The last refusal.
        public let refusal: WatchRefusal?

        /// What is known of a node.
        public init(
            isRevoked: Bool, certificateNotAfter: Timestamp, lastSeen: Timestamp?, served: UInt64,
            refusal: WatchRefusal?
        ) {
            self.isRevoked = isRevoked
            self.certificateNotAfter = certificateNotAfter
            self.lastSeen = lastSeen
            self.served = served
            self.refusal = refusal
        }
    }

    /// After so long without a word a node is away. It reports every 30 s.
    public static let silence = Duration.seconds(120)

    /// How a node stands while the latest state of the cluster is `latest`. The first of these that is true counts:
    /// revoked, expired, away, refusing, current.
    public init(_ facts: Facts, latest: UInt64, at now: Timestamp) {
        let isAway = facts.lastSeen.map { $0 + Self.silence <= now } ?? true
        if facts.isRevoked {
            self = .revoked
        } else if isAway {
            self = facts.certificateNotAfter < now ? .expired : .away
        } else if facts.refusal?.stateVersion == latest, facts.served != latest {
            self = .refusing
        } else {
            self = facts.served >= latest ? .current : .behind
        }
    }
}
