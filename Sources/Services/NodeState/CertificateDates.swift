import Cryptography
package import MailModel

/// One certificate that is served, and its dates.
package struct CertificateDates: Hashable, Sendable {
    /// Its place among those that are served, from 0.
    package let slot: Int
    /// What an operator knows it by.
    package let name: String
    package let subject: String
    package let notBefore, notAfter: Timestamp

    /// The times before the end from which on it is told.
    private static let (firstCall, lastCall) = (Duration.seconds(14 * 86_400), Duration.seconds(3 * 86_400))

    /// - Parameter name: that of its place in `tls.certificates` unless given.
    package init(slot: Int, name: String? = nil, subject: String, notBefore: Timestamp, notAfter: Timestamp) {
        self.slot = slot
        self.name = name ?? "tls.certificates[\(slot)]"
        self.subject = subject
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// What its dates mean at a moment.
    package func standing(at now: Timestamp) -> CertificateStanding {
        if now > self.notAfter { return .expired }
        if now < self.notBefore { return .notYetValid }
        if now + Self.lastCall >= self.notAfter { return .endsVerySoon }
        return now + Self.firstCall >= self.notAfter ? .endsSoon : .valid
    }

    /// What `config check` says of its dates; `nil` if it is valid for longer than 14 days.
    package func warning(at now: Timestamp) -> String? {
        switch self.standing(at: now) {
        case .valid: nil
        case .endsSoon, .endsVerySoon: "\(self.subject) ends at \(self.notAfter)"
        case .expired: "\(self.subject) expired at \(self.notAfter), and is served all the same"
        case .notYetValid: "\(self.subject) is not valid before \(self.notBefore), and is served all the same"
        }
    }

    /// Why hosts that verify it refuse it now; `nil` if they do not.
    package func fault(at now: Timestamp) -> String? {
        switch self.standing(at: now) {
        case .expired: "\(self.name) (\(self.subject)) expired at \(self.notAfter)"
        case .notYetValid: "\(self.name) (\(self.subject)) is not valid before \(self.notBefore)"
        case .valid, .endsSoon, .endsVerySoon: nil
        }
    }
}

/// How a certificate stands to its dates.
package enum CertificateStanding: Hashable, Sendable {
    case valid
    /// It ends within 14 days.
    case endsSoon
    /// It ends within 3 days.
    case endsVerySoon
    case expired
    case notYetValid
}

extension CertificateDates {
    /// The dates of certificates, by slot; none where none is served.
    package static func of(_ served: ServedCertificates?) -> [CertificateDates] {
        guard let served else { return [] }
        return zip(served.certificates, served.names).enumerated().map { slot, item in
            CertificateDates(item.0, slot: slot, name: item.1)
        }
    }

    /// Those of one certificate.
    init(_ certificate: ServerCertificate, slot: Int, name: String? = nil) {
        let own = certificate.chain[0].value
        self.init(slot: slot, name: name, subject: own.subject, notBefore: own.notBefore, notAfter: own.notAfter)
    }
}
