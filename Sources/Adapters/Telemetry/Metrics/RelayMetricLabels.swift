public import DeliveryQueue

/// One configured listener; its values come from the configuration, so they are bounded by it.
public struct ListenerLabel: MetricLabels {
    let name: String

    /// The listener of this name.
    public init(_ name: String) { self.name = name }

    public var pairs: [(name: String, value: String)] { [("listener", self.name)] }
}

/// How the opening of a client connection ended.
public enum InboundConnectionResult: String, MetricLabel {
    public static let labelName = "result"
    case accepted
    case refusedLimit = "refused_limit"
    case refusedAddress = "refused_address"
    case refusedRate = "refused_rate"
    case refusedProxy = "refused_proxy"
    case refusedDraining = "refused_draining"
}

/// How a handshake ended.
public enum TLSHandshakeResult: String, MetricLabel {
    public static let labelName = "result"
    case success, failure, timeout
}

/// Protocol version that was agreed; `none` where the handshake did not get that far.
public enum TLSVersionLabel: String, MetricLabel {
    public static let labelName = "version"
    case none
    case tls10 = "TLSv1.0"
    case tls11 = "TLSv1.1"
    case tls12 = "TLSv1.2"
    case tls13 = "TLSv1.3"
}

/// Whether a session was resumed.
public enum TLSResumed: String, MetricLabel {
    public static let labelName = "resumed"
    case full = "false"
    case resumed = "true"
}

/// What became of a message that a client sent.
public enum InboundMessageResult: String, MetricLabel {
    public static let labelName = "result"
    case accepted, deferred, rejected, aborted
}

/// What the credentials of AUTH were worth.
public enum AuthenticationResult: String, MetricLabel {
    public static let labelName = "result"
    case accepted, refused, unavailable
}

/// What was found out about a recipient by call-ahead, from the cache or anew.
public enum VerificationResult: String, MetricLabel {
    public static let labelName = "result"
    case exists, unknown, unsure
}

/// Why a command or message was refused.
public enum RejectReason: String, MetricLabel {
    public static let labelName = "reason"
    case syntax
    case badSequence = "bad_sequence"
    case badLineEnding = "bad_line_ending"
    case relayDenied = "relay_denied"
    case unknownRecipient = "unknown_recipient"
    case bounceRule = "bounce_rule"
    case authentication
    case size
    case recipients
    case errors
    case limit
    case timeout
    case queue
    case storage
    case malformedMessage = "malformed_message"
    case routingLoop = "routing_loop"
    case other
}

/// How connecting to one address ended; `local` where this system itself could not.
public enum OutboundConnectionResult: String, MetricLabel {
    public static let labelName = "result"
    case connected, refused, timeout, unreachable, local, greeting
}

/// What the peer of an outbound connection proved.
public enum PeerTrust: String, MetricLabel {
    public static let labelName = "trust"
    case dane, encrypted, none
}

/// Why TLS that a receiving host offered was given up for cleartext.
public enum TLSAbandonReason: String, MetricLabel {
    public static let labelName = "reason"
    case refused, disagreement, alert, ended, timeout, malformed, limit
    case internalError = "internal"
    case other
}

/// The outcome of an attempt for one recipient.
public enum DeliveryResult: String, MetricLabel {
    public static let labelName = "result"
    case delivered, deferred, bounced, expired, ambiguous
}

/// Kinds of delivery status notification.
public enum DSNType: String, MetricLabel {
    public static let labelName = "type"
    case failure, delay, relayed
}

/// The limit of delivery status notifications that was reached.
extension ReportBudget.Refusal: MetricLabel {
    public static let labelName = "limit"
}

/// Whose staged bytes are counted: all clients', or those of the half for clients that may not relay and mail without a
/// sender.
public enum StagedBytesShare: String, MetricLabel {
    public static let labelName = "share"
    case all, strangers
}

/// Which limit of questions about recipients was reached: that of all, of one domain, or of next hops that have not answered.
public enum VerificationLimitLabel: String, MetricLabel {
    public static let labelName = "limit"
    case all, domain, unanswered
}

/// What keeps deliveries waiting. These are the pools of connections to strangers, or to those of one network; what
/// hosts of one network that have taken mail may have; and the half of these for mail without a sender. They are also
/// the deliveries of such mail at once, the node's connections, the number that an address takes, and the number of
/// domains under way.
public enum DeliveryLimitLabel: String, MetricLabel {
    public static let labelName = "limit"
    case pool, network
    case provenNetwork = "proven_network"
    case nullSenders = "null_senders"
    case nullSenderDeliveries = "null_sender_deliveries"
    case node, address, destinations
}

/// The requirement of one MX host, as in `DANERequirement`.
public enum DANEDecision: String, MetricLabel {
    public static let labelName = "result"
    case authenticate, encrypt, opportunistic, unavailable
}

/// Certificate usage (RFC 7218); `none` where no record matched.
public enum TLSAUsageLabel: String, MetricLabel {
    public static let labelName = "usage"
    case none
    case pkixTA = "0"
    case pkixEE = "1"
    case daneTA = "2"
    case daneEE = "3"
    case other
}

/// Selector (RFC 7218).
public enum TLSASelectorLabel: String, MetricLabel {
    public static let labelName = "selector"
    case cert = "0"
    case spki = "1"
    case other
}

/// Matching type (RFC 7218).
public enum TLSAMatchingTypeLabel: String, MetricLabel {
    public static let labelName = "mtype"
    case full = "0"
    case sha256 = "1"
    case sha512 = "2"
    case other
}

/// Whether a record can be used for SMTP.
public enum TLSAUsable: String, MetricLabel {
    public static let labelName = "usable"
    case usable = "true"
    case unusable = "false"
}

/// The verdict on a handshake that owed authentication, by the reasons of the error codes.
public enum DANEVerificationResult: String, MetricLabel {
    public static let labelName = "result"
    case verified
    case startTLSNotSupported = "starttls-not-supported"
    case certificateExpired = "certificate-expired"
    case tlsaInvalid = "tlsa-invalid"
    case dnssecInvalid = "dnssec-invalid"
}

/// Record types.
public enum DNSTypeLabel: String, MetricLabel {
    public static let labelName = "type"
    case a = "A"
    case aaaa = "AAAA"
    case mx = "MX"
    case tlsa = "TLSA"
    case cname = "CNAME"
    case ds = "DS"
}

/// Why a process of the resolver was replaced.
public enum DNSResolverDeathLabel: String, MetricLabel {
    public static let labelName = "reason"
    case crash, refused, malformed, hung, memory, processor
}

/// For which limit a look-up did not begin: that of all, of one domain, or of names that said nothing before.
public enum DNSLookupLimitLabel: String, MetricLabel {
    public static let labelName = "limit"
    case all, domain, silent
}

/// What validation said.
public enum DNSSecurityLabel: String, MetricLabel {
    public static let labelName = "security"
    case secure, insecure, bogus, indeterminate
}

/// The response code, or `TIMEOUT` where there was none.
public enum DNSResponseLabel: String, MetricLabel {
    public static let labelName = "rcode"
    case noError = "NOERROR"
    case nameError = "NXDOMAIN"
    case serverFailure = "SERVFAIL"
    case refused = "REFUSED"
    case timeout = "TIMEOUT"
    case other = "OTHER"
}

/// Levels of the validated cache; so far there is one.
public enum DNSCacheLevel: String, MetricLabel {
    public static let labelName = "level"
    case memory
}

/// How a look-up in the cache went; `joined` waited for the same question of another.
public enum DNSCacheResult: String, MetricLabel {
    public static let labelName = "result"
    case hit, miss, joined
}

/// States of a queue entry: due now, under way, waiting for its time, or held back by an operator.
public enum QueueStateLabel: String, MetricLabel {
    public static let labelName = "state"
    case ready, active, deferred, held
}

/// What operators' standing rules do.
public enum QueueRuleLabel: String, MetricLabel {
    public static let labelName = "action"
    case suspend, bounce
}

/// Operations on the queue.
public enum QueueOperation: String, MetricLabel {
    public static let labelName = "op"
    case enqueue
    case claim
    case beginAttempt = "begin_attempt"
    case recordOutcome = "record_outcome"
    case renewLease = "renew_lease"
}

/// Why an entry was put back.
public enum RetryReason: String, MetricLabel {
    public static let labelName = "reason"
    case dane, dnssec, dns, connection, tls, smtp, other
}

/// States of a database connection.
public enum DatabaseConnectionState: String, MetricLabel {
    public static let labelName = "state"
    case idle, busy, connecting
}

/// Classes of database errors.
public enum DatabaseErrorClass: String, MetricLabel {
    public static let labelName = "class"
    case connection, timeout, serialization, constraint, fenced, resources, other
    /// The server's disk is full.
    case diskFull = "disk_full"
    /// A standby, or a former primary.
    case wrongServer = "wrong_server"
}

/// Levels of log lines.
public enum LogLevelLabel: String, MetricLabel {
    public static let labelName = "level"
    case trace, debug, info, notice, warning, error, critical
}

/// Enhanced status codes of failed attempts: those that tell something about DANE, the DNS and connections, the common
/// ones of SMTP, and `other`. 5.x.x is counted as 4.x.x, for which of them it was is in `deliveries_total`.
public enum DeliveryFailureCode: String, MetricLabel {
    public static let labelName = "code"
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
    public init(enhancedStatusCode text: String) {
        self = Self(rawValue: text.hasPrefix("5.") ? "4." + text.dropFirst(2) : text) ?? .other
    }
}
