import MailModel
import SMTPProtocol
import TLSEngine
import Telemetry
import TransportSecurity

/// Why TLS that a host offered was given up, where the mail may go on in clear (rule 28).
struct AbandonedTLS: Hashable, Sendable {
    /// The kind of failure, as metrics count it.
    let reason: TLSAbandonReason
    /// What happened, for people; made safe where it came from a peer, and at most `maximumText` bytes.
    let text: String

    private static let maximumText = 256

    /// The handshake failed.
    init(_ failure: TLSFailure) { self.init(TLSAbandonReason(failure.reason), failure.text) }

    /// STARTTLS was offered, and then refused with this reply.
    init(refused reply: RemoteReply) { self.init(.refused, "\(reply)") }

    private init(_ reason: TLSAbandonReason, _ text: String) {
        self.reason = reason
        self.text = SafeText.escape(bytes: text.utf8.prefix(Self.maximumText))
    }
}

extension AbandonedTLS: CustomStringConvertible {
    var description: String { "\(self.reason.rawValue): \(self.text)" }
}

/// Why TLS that a receiving host offered was given up for cleartext.
package enum TLSAbandonReason: String, MetricLabel {
    package static let labelName = "reason"
    case refused, disagreement, alert, ended, timeout, malformed, limit
    case internalError = "internal"
    case other
}

extension TLSAbandonReason {
    fileprivate init(_ reason: TLSFault) {
        self =
            switch reason {
            case .disagreement: .disagreement
            case .nameRejected, .refusedByPeer: .alert
            case .truncated: .ended
            case .timedOut: .timeout
            case .malformed: .malformed
            case .limitExceeded: .limit
            case .internalError: .internalError
            // Nobody is authenticated where TLS may be given up.
            case .certificateExpired, .certificateNotYetValid, .nameMismatch, .noRecordMatched, .untrusted,
                .chainBeyondLimit:
                .other
            }
    }
}
