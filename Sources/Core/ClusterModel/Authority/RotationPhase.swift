/// The steps of a rotation of the cluster's authority (control 14). The numbers are stored.
///
///     settled ──rotate──▶ trustingBoth ──all trust the new one──▶ issuingNew ──all hold one of the new──▶ settled
public enum RotationPhase: Int16, Hashable, CaseIterable, Sendable {
    /// One authority, and no rotation.
    case settled = 1
    /// Everyone is to trust both authorities; the old one issues.
    case trustingBoth
    /// The new one issues, and both are trusted.
    case issuingNew

    /// The phase that comes after this one.
    public var next: RotationPhase {
        switch self {
        case .settled: .trustingBoth
        case .trustingBoth: .issuingNew
        case .issuingNew: .settled
        }
    }
}
