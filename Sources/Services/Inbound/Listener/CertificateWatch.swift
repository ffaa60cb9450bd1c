import MailModel
import NodeState
import Telemetry

/// The lines to log about certificates that near their end. There is one for each when it comes near, nearer, and ends,
/// and again each day.
struct CertificateWatch {
    /// A certificate, and what is told of it.
    struct News: Hashable {
        let certificate: CertificateDates
        let standing: CertificateStanding
    }

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
