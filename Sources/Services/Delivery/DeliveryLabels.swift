import DeliveryQueue
import MailModel
import Telemetry

/// How connecting to one address ended; `local` where this system itself could not.
package enum OutboundConnectionResult: String, MetricLabel {
    package static let labelName = "result"
    case connected, refused, timeout, unreachable, local, greeting
}

/// What the peer of an outbound connection proved.
package enum PeerTrust: String, MetricLabel {
    package static let labelName = "trust"
    case dane, encrypted, none
}

/// The outcome of an attempt for one recipient.
package enum DeliveryResult: String, MetricLabel {
    package static let labelName = "result"
    case delivered, deferred, bounced, expired, ambiguous
}

/// Kinds of delivery status notification.
package enum DSNType: String, MetricLabel {
    package static let labelName = "type"
    case failure, delay, relayed
}

extension DSNType {
    init(_ action: DeliveryStatusNotification.Action) {
        switch action {
        case .failed: self = .failure
        case .delayed: self = .delay
        case .relayed: self = .relayed
        }
    }
}

/// What was found out about a recipient by call-ahead, from the cache or anew.
package enum VerificationResult: String, MetricLabel {
    package static let labelName = "result"
    case exists, unknown, unsure
}

/// Which limit of questions about recipients was reached: that of all, of one domain, or of next hops that have not answered.
package enum VerificationLimitLabel: String, MetricLabel {
    package static let labelName = "limit"
    case all, domain, unanswered
}

/// What keeps deliveries waiting: the pools of connections to strangers, in all or in one network, or what known hosts of
/// one network may have. It may be the half of these for mail without a sender, or the deliveries of such mail at once.
/// It may also be the node's connections, the connections that an address takes, or the domains under way.
package enum DeliveryLimitLabel: String, MetricLabel {
    package static let labelName = "limit"
    case pool, network
    case provenNetwork = "proven_network"
    case nullSenders = "null_senders"
    case nullSenderDeliveries = "null_sender_deliveries"
    case node, address, destinations
}

/// Why an entry was put back.
package enum RetryReason: String, MetricLabel {
    package static let labelName = "reason"
    case dane, dnssec, dns, connection, tls, smtp, other
}

extension RetryReason {
    /// The kind of failure that an entry waits for.
    init(_ failure: DeliveryFailure?) {
        switch failure?.reason {
        case .tlsaInvalid, .certificateExpired, .startTLSNotSupported: self = .dane
        case .dnssecInvalid: self = .dnssec
        case .dnsQueryFailed: self = .dns
        case .tlsHandshakeFailed, .certificateHostMismatch, .certificateNotTrusted: self = .tls
        case .remoteReply, .unsupportedByHost, .protocolViolation: self = .smtp
        case .connectionLost, .connectionTimeout, .connectionRefused, .hostUnreachable, .localNetwork:
            self = .connection
        case .noUsableRoute, .routingLoop, .nullMX, .noSuchDomain, .noSuchHost, .failedByOperator,
            .suspendedByOperator, nil:
            self = .other
        }
    }
}

/// Enhanced status codes of failed attempts: those that tell something about DANE, the DNS and connections, the common
/// ones of SMTP, and `other`. 5.x.x is counted as 4.x.x, for which of them it was is in `deliveries_total`.
package enum DeliveryFailureCode: String, MetricLabel {
    package static let labelName = "code"
    case startTLSNotSupported = "4.7.321"
    case certificateExpired = "4.7.322"
    case tlsaInvalid = "4.7.323"
    case dnssecInvalid = "4.7.324"
    case dnsFailure = "4.4.312"
    case noAnswerFromHost = "4.4.1"
    case badConnection = "4.4.2"
    case directoryFailure = "4.4.3"
    case routingLoop = "4.4.6"
    case expired = "4.4.7"
    case badMailbox = "4.1.1"
    case badDomain = "4.1.2"
    case nullMX = "4.1.10"
    case mailboxFull = "4.2.2"
    case systemNotAccepting = "4.3.2"
    case policy = "4.7.1"
    case other

    /// The label of a code such as `5.7.323`.
    package init(enhancedStatusCode text: String) {
        self = Self(rawValue: text.hasPrefix("5.") ? "4." + text.dropFirst(2) : text) ?? .other
    }
}
