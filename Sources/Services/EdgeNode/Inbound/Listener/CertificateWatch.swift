import Cryptography
import MailModel
import Telemetry

/// One certificate that is served, and its dates.
struct CertificateDates: Hashable, Sendable {
    /// Its place in `tls.certificates`, from 0.
    let slot: Int
    let subject: String
    let notBefore, notAfter: Timestamp

    /// What its dates mean at a moment.
    func standing(at now: Timestamp) -> CertificateStanding {
        if now > self.notAfter { return .expired }
        if now < self.notBefore { return .notYetValid }
        if now + CertificateWatch.lastCall >= self.notAfter { return .endsVerySoon }
        return now + CertificateWatch.firstCall >= self.notAfter ? .endsSoon : .valid
    }

    /// What `config check` says of its dates; `nil` if it is valid for longer than 14 days.
    func warning(at now: Timestamp) -> String? {
        switch self.standing(at: now) {
        case .valid: nil
        case .endsSoon, .endsVerySoon: "\(self.subject) ends at \(self.notAfter)"
        case .expired: "\(self.subject) expired at \(self.notAfter), and is served all the same"
        case .notYetValid: "\(self.subject) is not valid before \(self.notBefore), and is served all the same"
        }
    }

    /// Why hosts that verify it refuse it now; `nil` if they do not.
    func fault(at now: Timestamp) -> String? {
        switch self.standing(at: now) {
        case .expired: "tls.certificates[\(self.slot)] (\(self.subject)) expired at \(self.notAfter)"
        case .notYetValid: "tls.certificates[\(self.slot)] (\(self.subject)) is not valid before \(self.notBefore)"
        case .valid, .endsSoon, .endsVerySoon: nil
        }
    }
}

/// How a certificate stands to its dates.
enum CertificateStanding: Hashable, Sendable {
    case valid
    /// It ends within 14 days.
    case endsSoon
    /// It ends within 3 days.
    case endsVerySoon
    case expired
    case notYetValid
}

/// What is to be told of certificates that near their end: one line for each when it comes near, nearer, and ends, and again
/// each day.
struct CertificateWatch {
    /// A certificate, and what is told of it.
    struct News: Hashable {
        let certificate: CertificateDates
        let standing: CertificateStanding
    }

    /// The times before the end from which on it is told.
    static let (firstCall, lastCall) = (Duration.seconds(14 * 86_400), Duration.seconds(3 * 86_400))
    /// How often one that stays is told of again.
    static let repetition = Duration.seconds(86_400)

    private var told: [CertificateDates: (standing: CertificateStanding, at: MonotonicInstant)] = [:]

    /// Looks at the certificates that are served.
    ///
    /// - Parameters:
    ///   - date: by the wall clock, which may be set.
    ///   - now: by a clock that nobody sets.
    mutating func look(
        at certificates: [CertificateDates], date: Timestamp, now: MonotonicInstant
    ) -> [News] {
        // One that was replaced is forgotten, so that no number of reloads fills the memory.
        let served = Set(certificates)
        self.told = self.told.filter { served.contains($0.key) }
        return certificates.compactMap { certificate in
            let standing = certificate.standing(at: date)
            guard standing != .valid else {
                self.told[certificate] = nil
                return nil
            }
            if let last = self.told[certificate], last.standing == standing, now - last.at < Self.repetition {
                return nil
            }
            self.told[certificate] = (standing, now)
            return News(certificate: certificate, standing: standing)
        }
    }

    /// The check of these certificates.
    ///
    /// - Parameter isRequired: whether the node is not ready without a certificate in its dates (`tls.required`).
    static func status(
        of certificates: [CertificateDates], at date: Timestamp, isRequired: Bool
    ) -> HealthRegistry.Status {
        guard !certificates.isEmpty else {
            return isRequired
                ? .failing(
                    "no certificate is configured: STARTTLS is not offered; set tls.certificates, or tls.required: false"
                )
                : .passing
        }
        let faults = certificates.compactMap { $0.fault(at: date) }
        guard !faults.isEmpty else { return .passing }
        let reason = faults.joined(separator: "; ")
        return isRequired ? .failing(reason) : .degraded(reason)
    }
}

extension CertificateDates {
    /// The dates of certificates in the order of `tls.certificates`.
    static func of(_ certificates: [ServerCertificate]) -> [CertificateDates] {
        certificates.enumerated().map { slot, certificate in
            let own = certificate.chain[0].value
            return CertificateDates(
                slot: slot, subject: own.subject, notBefore: own.notBefore, notAfter: own.notAfter)
        }
    }
}
