import MailModel
import Telemetry

/// One configured listener; its values come from the configuration, so they are bounded by it.
package struct ListenerLabel: MetricLabels {
    let name: String

    /// The listener of this name.
    package init(_ name: String) { self.name = name }

    package var pairs: [(name: String, value: String)] { [("listener", self.name)] }
}

/// How the opening of a client connection ended.
package enum InboundConnectionResult: String, MetricLabel {
    package static let labelName = "result"
    case accepted
    case refusedLimit = "refused_limit"
    case refusedAddress = "refused_address"
    case refusedRate = "refused_rate"
    case refusedProxy = "refused_proxy"
    case refusedDraining = "refused_draining"
}

/// How a handshake ended.
package enum TLSHandshakeResult: String, MetricLabel {
    package static let labelName = "result"
    case success, failure, timeout
}

/// Whether a session was resumed.
package enum TLSResumed: String, MetricLabel {
    package static let labelName = "resumed"
    case full = "false"
    case resumed = "true"
}

/// What became of a message that a client sent.
package enum InboundMessageResult: String, MetricLabel {
    package static let labelName = "result"
    case accepted, deferred, rejected, aborted
}

/// What the credentials of AUTH were worth.
package enum AuthenticationResult: String, MetricLabel {
    package static let labelName = "result"
    case accepted, refused, unavailable
}

/// Why a command or message was refused.
package enum RejectReason: String, MetricLabel {
    package static let labelName = "reason"
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

extension RejectReason {
    /// The reason that a refusing reply is counted under; `nil` for one that refuses nothing.
    init?(_ reply: SMTPReply) {
        switch (reply.code, reply.enhancedStatus?.subject, reply.enhancedStatus?.detail) {
        // A drain or a deadline refuses nothing that the client said.
        case (..<400, _, _), (421, 3, 2): return nil
        case (503, _, _): self = .badSequence
        case (500...502, _, _), (555, _, _): self = .syntax
        case (552, _, _): self = .size
        case (550, 7, 0): self = .bounceRule
        case (_, 7, 1): self = .relayDenied
        case (535, _, _), (538, _, _), (454, 7, 0): self = .authentication
        case (452, 5, 3): self = .recipients
        case (452, 3, 1): self = .storage
        case (_, 1, 1): self = .unknownRecipient
        case (_, 4, 6): self = .routingLoop
        case (451, _, _), (452, _, _): self = .queue
        case (554, 6, 0): self = .badLineEnding
        case (421, 7, 0): self = .errors
        default: self = .other
        }
    }
}

/// Whose staged bytes are counted: all clients', or those of the half for clients that may not relay and mail without a
/// sender.
package enum StagedBytesShare: String, MetricLabel {
    package static let labelName = "share"
    case all, strangers
}
