public import MailModel

/// Where a rotation of the cluster's authority stands, and what its next step waits for (control 14).
///
/// A step is taken only when nobody loses trust by it: the new authority issues once every node trusts it, and the old
/// one is dropped once every node has a certificate of the new one. Authorities are named by the SHA-256 of their
/// certificates.
public struct AuthorityRotation: Hashable, Sendable {
    /// What a holder of a certificate trusts and holds.
    public struct Member: Hashable, Sendable {
        /// Its name.
        public let name: String
        /// The authorities that it said it trusts.
        public let trusted: Set<[UInt8]>
        /// The authority of its certificate.
        public let authority: [UInt8]
        /// The end of its certificate.
        public let notAfter: Timestamp
        /// Whether it is refused everything.
        public let isRevoked: Bool

        /// A holder of a certificate.
        public init(
            name: String, trusted: Set<[UInt8]>, authority: [UInt8], notAfter: Timestamp, isRevoked: Bool
        ) {
            self.name = name
            self.trusted = trusted
            self.authority = authority
            self.notAfter = notAfter
            self.isRevoked = isRevoked
        }
    }

    /// What becomes of a wish for the next step.
    public enum Step: Hashable, Sendable {
        /// Go to this phase.
        case advance(to: RotationPhase)
        /// These members, in order, would lose trust.
        case wait(for: [String])
        /// Somebody else took a step first.
        case otherPhase(RotationPhase)
    }

    /// The phase.
    public let phase: RotationPhase
    /// The authority that issues.
    public let issuing: [UInt8]
    /// The other one that is trusted: the new one, or then the old one. There is none while nothing rotates.
    public let other: [UInt8]?

    /// A rotation; `nil` if two authorities do not belong to the phase, or one does not.
    public init?(phase: RotationPhase, issuing: [UInt8], other: [UInt8]?) {
        guard (phase == .settled) == (other == nil), issuing != other else { return nil }
        self.phase = phase
        self.issuing = issuing
        self.other = other
    }

    /// The members that keep the barrier shut, in order. Those that are revoked or expired cannot.
    public func waitingFor(_ members: some Sequence<Member>, at now: Timestamp) -> [String] {
        members.filter { !$0.isRevoked && now <= $0.notAfter && !self.isReady($0) }.map(\.name).sorted()
    }

    /// The step that follows, for a caller that has seen the phase `seen`.
    public func step(from seen: RotationPhase, _ members: some Sequence<Member>, at now: Timestamp) -> Step {
        guard seen == self.phase else { return .otherPhase(self.phase) }
        let waiting = self.waitingFor(members, at: now)
        return waiting.isEmpty ? .advance(to: self.phase.next) : .wait(for: waiting)
    }

    /// Whether the member loses nothing by the next step.
    private func isReady(_ member: Member) -> Bool {
        switch self.phase {
        case .settled: true
        case .trustingBoth: self.other.map(member.trusted.contains) ?? true
        case .issuingNew: member.authority == self.issuing && member.trusted.contains(self.issuing)
        }
    }
}
