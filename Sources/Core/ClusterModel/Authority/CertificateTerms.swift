public import MailModel

/// How long certificates of the cluster last (control 12, 15).
public struct CertificateTerms: Hashable, Sendable {
    /// How long those of nodes and controllers last.
    public let lifetime: Duration
    /// How long those of people last.
    public let peopleLifetime: Duration
    /// How long after its end a node may come back with the key of the certificate.
    public let grace: Duration
    /// How much earlier than it is issued a certificate begins, for clocks that are behind.
    public let backdating: Duration

    /// Terms; the defaults are 24 h, 90 d, 7 d and 5 min.
    public init(
        lifetime: Duration = .seconds(86_400), peopleLifetime: Duration = .seconds(90 * 86_400),
        grace: Duration = .seconds(7 * 86_400), backdating: Duration = .seconds(300)
    ) {
        self.lifetime = lifetime
        self.peopleLifetime = peopleLifetime
        self.grace = grace
        self.backdating = backdating
    }

    /// The dates of a certificate that is issued now, in whole seconds, as X.509 has them (RFC 5280 §4.1.2.5).
    ///
    /// Its holder asks for the next one from `renewAfter` on, which is half its life away.
    public func dates(
        of role: ClusterRole, issuedAt now: Timestamp
    ) -> (notBefore: Timestamp, notAfter: Timestamp, renewAfter: Timestamp) {
        let lifetime = role.isOfPeople ? self.peopleLifetime : self.lifetime
        let issued = now.wholeSeconds
        return (
            (issued + (.zero - self.backdating)).wholeSeconds, (issued + lifetime).wholeSeconds,
            (issued + lifetime / 2).wholeSeconds
        )
    }

    /// Whether the key of a certificate with this end still earns a new one. After that only a token does.
    public func mayComeBack(notAfter: Timestamp, at now: Timestamp) -> Bool { now <= notAfter + self.grace }
}

extension CertificateTerms {
    /// What is wrong with the dates of a certificate, for people; `nil` if it is valid now.
    ///
    /// A wrong clock looks like a wrong certificate. So the text has both clocks where the other one is known.
    public static func validityFault(
        notBefore: Timestamp, notAfter: Timestamp, ours now: Timestamp, theirs: Timestamp?
    ) -> String? {
        let fault: String
        switch now {
        case ..<notBefore: fault = "The certificate is not valid before \(notBefore)."
        case ...notAfter: return nil
        default: fault = "The certificate expired at \(notAfter)."
        }
        guard let theirs else { return "\(fault) The clock here says \(now)." }
        return "\(fault) The clock here says \(now), the one there \(theirs)."
    }
}

extension Timestamp {
    /// The last whole second that is not later.
    fileprivate var wholeSeconds: Timestamp {
        let rest = self.microseconds % 1_000_000
        return Timestamp(microseconds: self.microseconds - (rest < 0 ? rest + 1_000_000 : rest))
    }
}
