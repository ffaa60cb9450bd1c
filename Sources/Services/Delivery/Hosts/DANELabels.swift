import DANE
import DNSModel
import MailModel
import Routing
import Telemetry
import TransportSecurity

/// The requirement of one MX host, as in `DANERequirement`.
package enum DANEDecision: String, MetricLabel {
    package static let labelName = "result"
    case authenticate, encrypt, opportunistic, unavailable
}

/// Certificate usage (RFC 7218); `none` where no record matched.
package enum TLSAUsageLabel: String, MetricLabel {
    package static let labelName = "usage"
    case none
    case pkixTA = "0"
    case pkixEE = "1"
    case daneTA = "2"
    case daneEE = "3"
    case other
}

extension TLSAUsageLabel {
    /// The label of the usage that decided.
    init(_ usage: TLSARecord.CertificateUsage?) {
        switch usage {
        case nil: self = .none
        case .pkixTA?: self = .pkixTA
        case .pkixEE?: self = .pkixEE
        case .daneTA?: self = .daneTA
        case .daneEE?: self = .daneEE
        default: self = .other
        }
    }
}

/// Selector (RFC 7218).
package enum TLSASelectorLabel: String, MetricLabel {
    package static let labelName = "selector"
    case cert = "0"
    case spki = "1"
    case other
}

extension TLSASelectorLabel {
    init(_ selector: TLSARecord.Selector) { self = TLSASelectorLabel(rawValue: "\(selector.rawValue)") ?? .other }
}

/// Matching type (RFC 7218).
package enum TLSAMatchingTypeLabel: String, MetricLabel {
    package static let labelName = "mtype"
    case full = "0"
    case sha256 = "1"
    case sha512 = "2"
    case other
}

extension TLSAMatchingTypeLabel {
    init(_ type: TLSARecord.MatchingType) { self = TLSAMatchingTypeLabel(rawValue: "\(type.rawValue)") ?? .other }
}

/// Whether a record can be used for SMTP.
package enum TLSAUsable: String, MetricLabel {
    package static let labelName = "usable"
    case usable = "true"
    case unusable = "false"
}

extension TLSAUsable {
    init(_ judgement: TLSAJudgement) { if case .unusable = judgement { self = .unusable } else { self = .usable } }
}

/// The verdict on a handshake that owed authentication, by the reasons of the error codes.
package enum DANEVerificationResult: String, MetricLabel {
    package static let labelName = "result"
    case verified
    case startTLSNotSupported = "starttls-not-supported"
    case certificateExpired = "certificate-expired"
    case tlsaInvalid = "tlsa-invalid"
    case dnssecInvalid = "dnssec-invalid"
}

extension DANEVerificationResult {
    /// The verdict on a host that owed authentication; `nil` where it never came to that.
    init?(_ attempt: HostAttempt) {
        // What the operator demands beside DANE is no verdict of DANE's.
        if case .opportunistic? = attempt.host?.requirement, attempt.policy != .dane { return nil }
        // A failure speaks first: whatever was proven before it is not the verdict on this host.
        if let failure = attempt.failure?.failure, let result = Self(rawValue: failure.name) {
            self = result
        } else if attempt.established?.peer != nil {
            self = .verified
        } else {
            return nil
        }
    }
}
