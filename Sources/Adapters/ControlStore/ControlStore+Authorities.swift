public import ClusterModel
public import MailModel
import PostgresDriver

/// A certificate authority of the cluster.
public struct AuthorityRow: Hashable, Sendable {
    /// X.509 in DER.
    public let certificate: [UInt8]
    /// SHA-256 of it.
    public let sha256: [UInt8]
    /// Its private key, sealed. Empty once the authority is not trusted.
    public let sealedKey: [UInt8]
    /// Whether it signs certificates; one does.
    public let isIssuing: Bool
    /// Whether certificates of it count. What is not trusted is kept for whoever asks what was.
    public let isTrusted: Bool
    /// The begin of its validity.
    public let notBefore: Timestamp
    /// The end of its validity.
    public let notAfter: Timestamp

    /// An authority.
    public init(
        certificate: [UInt8], sha256: [UInt8], sealedKey: [UInt8], isIssuing: Bool, isTrusted: Bool = true,
        notBefore: Timestamp, notAfter: Timestamp
    ) {
        self.certificate = certificate
        self.sha256 = sha256
        self.sealedKey = sealedKey
        self.isIssuing = isIssuing
        self.isTrusted = isTrusted
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// Stores it. That one issues is kept by an index.
    func insertion() throws(ControlStoreError) -> Statement {
        try ControlLimits.check(
            self.certificate.count, atMost: ControlLimits.certificateBytes, "bytes of an authority's certificate")
        try ControlLimits.check(self.sealedKey.count, atMost: ControlLimits.secretBytes, "bytes of an authority's key")
        return Statement(
            """
            INSERT INTO control.authority (sha256, certificate, sealed_key, is_issuing, is_trusted, not_before, not_after)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """, self.sha256.stored, self.certificate.stored, self.sealedKey.stored, self.isIssuing, self.isTrusted,
            self.notBefore.stored, self.notAfter.stored)
    }
}

extension ControlStore {
    /// All authorities: the one that issues first, then the others that are trusted, then those that were.
    public func authorities() async throws(ControlStoreError) -> [AuthorityRow] {
        let found = try await self.rows(
            """
            SELECT certificate, sha256, sealed_key, is_issuing, is_trusted, not_before, not_after FROM control.authority
            ORDER BY is_issuing DESC, is_trusted DESC, added_at DESC LIMIT $1
            """, Int64(ControlLimits.pageRows))
        var authorities: [AuthorityRow] = []
        for row in found.rows {
            authorities.append(
                AuthorityRow(
                    certificate: try row.bytes(0), sha256: try row.bytes(1), sealedKey: try row.bytes(2),
                    isIssuing: try row.value(3), isTrusted: try row.value(4), notBefore: try row.moment(5),
                    notAfter: try row.moment(6)))
        }
        return authorities
    }

    /// Takes a step of a rotation (control 14): a compare-and-set on the phase that the caller has seen.
    ///
    /// To trust both adds an authority that does not issue. To issue from the new one lets the two change places. To settle
    /// drops the one that does not issue, and erases its key; so a rotation can be abandoned before the new one issues.
    ///
    /// - Parameters:
    ///   - authority: the new one, with `.trustingBoth` and only there.
    ///   - term: of the leader that takes the step; it is refused once the term is over.
    /// - Returns: whether the step was taken; not from another phase, or under an old term.
    public func step(
        from phase: RotationPhase, to next: RotationPhase, adding authority: AuthorityRow? = nil,
        _ change: ControlChange,
        under term: LeaderTerm? = nil
    ) async throws(ControlStoreError) -> Bool {
        guard phase != next, (authority != nil) == (next == .trustingBoth), authority?.isIssuing != true,
            authority?.isTrusted != false
        else { throw ControlStoreError(.unfit, "no step of a rotation: from \(phase) to \(next)") }
        guard next == .settled || next == phase.next else {
            throw ControlStoreError(.unfit, "no step of a rotation: from \(phase) to \(next)")
        }
        let step = Statement("SELECT control.step_rotation($1, $2)", phase.rawValue, next.rawValue)
        var statements = [step]
        if let authority { statements.append(try authority.insertion()) }
        return try await self.change([change], under: term, statements)
    }
}
