import DANE
import DeliveryQueue
import MailModel
import SMTPProtocol
import TLSEngine
import TransportSecurity

/// Why one host did not take a message: the name that everyone uses for it, and what happened in words.
struct HostFailure: Hashable, Sendable {
    let failure: TransportFailure
    /// What happened, for people; made safe where it came from a peer.
    let detail: String
    /// The peer's reply, where there was one.
    let reply: SMTPReply?
    /// The final dot was written and its reply never came: the host may have taken the message.
    let isAmbiguous: Bool

    init(_ failure: TransportFailure, _ detail: String = "", reply: SMTPReply? = nil, isAmbiguous: Bool = false) {
        self.failure = failure
        self.detail = detail
        self.reply = reply
        self.isAmbiguous = isAmbiguous
    }

    /// What the SMTP session gave up for.
    init(_ failure: SMTPClientFailure) {
        switch failure {
        case .greetingRefused(let reply), .helloRefused(let reply), .serviceClosing(let reply, _):
            self.init(.remoteReply, "\(reply)", reply: reply)
        case .startTLSNotSupported(let reply):
            self.init(.startTLSNotSupported, reply.map { "STARTTLS: \($0)" } ?? "STARTTLS is not offered", reply: reply)
        case .bytesBehindSTARTTLS:
            self.init(.protocolViolation, "bytes in clear behind the reply to STARTTLS")
        case .protocolError(let stage):
            // Behind the final dot an unintelligible reply may have been an acceptance.
            self.init(.protocolViolation, "unexpected reply at \(stage)", isAmbiguous: failure.isAmbiguous)
        case .connectionLost(let stage, let afterFinalDot):
            self.init(.connectionLost, "connection lost at \(stage)", isAmbiguous: afterFinalDot)
        case .abandoned:
            self.init(.connectionLost, "given up by this node before the final dot")
        }
    }

    /// What a handshake failed for; where the peer showed a chain that matches nothing, told record by record.
    init(_ failure: TransportFailure, outcome: TLSClientOutcome, requirement: AttemptRequirement) {
        var detail = outcome.failure?.text ?? "not authenticated"
        if case .mustAuthenticate(let authentication) = requirement.tls,
            case .failed(_, let chain) = outcome, !chain.isEmpty
        {
            detail += ": " + DANERefusal.text(authentication, chain: chain, at: .systemNow)
        }
        self.init(failure, SafeText.escape(detail))
    }

    /// The peer said nothing within the deadline of this stage.
    static func silence(at stage: SMTPClientStage) -> HostFailure {
        switch stage {
        case .greeting: HostFailure(.connectionTimeout, "no greeting in time")
        case .finalDot: HostFailure(.connectionLost, "no reply to the final dot in time", isAmbiguous: true)
        case .handshake: HostFailure(.tlsHandshakeFailed, "no answer to the TLS handshake in time")
        default: HostFailure(.connectionLost, "no answer in time at \(stage)")
        }
    }

    /// Whether this host will never take the message.
    var isPermanent: Bool {
        self.failure == .remoteReply ? self.reply?.isPermanent ?? false : self.failure.isPermanent
    }

    /// The failure as the queue keeps it and reports tell it.
    func deliveryFailure(host: String?) -> DeliveryFailure {
        var status = self.failure.isPermanent ? self.failure.permanentStatus : self.failure.transientStatus
        if self.failure == .remoteReply, let reply { status = EnhancedStatusCode(of: reply) }
        let text = self.detail.isEmpty ? self.failure.text : "\(self.failure.text) (\(self.detail))"
        return DeliveryFailure(
            failureClass: self.failure.isSecurityFailure ? .security : .general, status: status,
            reason: self.failure.name, text: text, host: host)
    }
}

extension EnhancedStatusCode {
    /// The status of a refusing reply: its own code where that agrees with the reply code, else `x.0.0`.
    init(of reply: SMTPReply) {
        let `class`: Class =
            switch reply.severity {
            case .permanentNegative: .permanentFailure
            case .transientNegative: .persistentTransientFailure
            case .positiveCompletion, .positiveIntermediate: .success
            }
        if let status = reply.enhancedStatus, status.class == `class` {
            self = status
        } else {
            self.init(`class`, 0, 0)
        }
    }
}
