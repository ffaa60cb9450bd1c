/// What the holder of a certificate may do (control 16). The role is in the certificate's URI.
public enum ClusterRole: String, Hashable, CaseIterable, Sendable {
    /// Follows the state, and gets certificates with their keys.
    case node
    /// A person that may change the cluster. Never gets keys of certificates (control 17).
    case admin
    /// A person that may look at the cluster.
    case viewer
    /// A replica of the controller: it serves, and calls nobody.
    case controller

    /// Whether people have this role, rather than programs.
    public var isOfPeople: Bool { self == .admin || self == .viewer }
}
