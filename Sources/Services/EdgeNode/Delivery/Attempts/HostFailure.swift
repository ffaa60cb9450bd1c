import DeliveryQueue
import MailModel
import SMTPProtocol
import TLSEngine
import TransportSecurity

/// Why one host did not take a message: the name that everyone uses for it, and what happened in words.
struct HostFailure: Hashable, Sendable {
    let failure: FailureReason
    /// What happened, for people; made safe where it came from a peer.
    let detail: String
    /// A code that says more than the name's own.
    private let status: EnhancedStatusCode?
    /// The peer's reply, where there was one.
    let reply: RemoteReply?
    /// The reply refused this host's service, not the message: whatever its code, the next host, or this one later, may
    /// take the message. It may have been forged in clear, so it must never bounce mail.
    let isServiceRefusal: Bool
    /// It refused its service for good.
    private let isForGood: Bool
    /// The reply refused BDAT itself, so that the host is asked once more, with DATA.
    let isChunkingRefusal: Bool
    /// The final dot was written and its reply never came: the host may have taken the message.
    let isAmbiguous: Bool
    /// What was agreed upon in a handshake that was completed and then refused.
    let connection: TLSConnectionInfo?
    /// The chain that was refused, until that is explained.
    private(set) var refused: RefusedChain?
    /// In the handshake the host fell silent, or closed the connection.
    let isBrokenHandshake: Bool
    /// The connection was closed for others who waited.
    private(set) var isDisplaced = false
    /// It was not found now: it is how the destination failed last, as that was stored.
    let stored: DeliveryFailure?

    /// What we found ourselves.
    init(
        _ failure: FailureReason, _ detail: String = "", isAmbiguous: Bool = false,
        connection: TLSConnectionInfo? = nil, isBrokenHandshake: Bool = false
    ) {
        self.init(
            failure, detail, status: nil, reply: nil, isAmbiguous: isAmbiguous, connection: connection,
            isBrokenHandshake: isBrokenHandshake)
    }

    /// The host does not offer what the message needs.
    init(_ limitation: HostLimitation) {
        self.init(.unsupportedByHost, "\(limitation)", status: limitation.status, reply: nil)
    }

    /// What the host said.
    init(
        _ reply: RemoteReply, isServiceRefusal: Bool = false, isForGood: Bool = false, isChunkingRefusal: Bool = false
    ) {
        self.init(
            .remoteReply, "\(reply)", status: nil, reply: reply, isServiceRefusal: isServiceRefusal,
            isForGood: isForGood, isChunkingRefusal: isChunkingRefusal)
    }

    private init(
        _ failure: FailureReason, _ detail: String, status: EnhancedStatusCode?, reply: RemoteReply?,
        isServiceRefusal: Bool = false, isForGood: Bool = false, isChunkingRefusal: Bool = false,
        isAmbiguous: Bool = false, connection: TLSConnectionInfo? = nil, isBrokenHandshake: Bool = false
    ) {
        self.failure = failure
        self.detail = detail
        self.status = status
        self.reply = reply
        self.isServiceRefusal = isServiceRefusal
        self.isForGood = isForGood
        self.isChunkingRefusal = isChunkingRefusal
        self.isAmbiguous = isAmbiguous
        self.connection = connection
        self.isBrokenHandshake = isBrokenHandshake
        self.stored = nil
    }

    /// How the destination failed last.
    init(stored failure: DeliveryFailure) {
        self.failure = failure.reason
        self.detail = failure.text
        self.status = nil
        self.reply = nil
        self.isServiceRefusal = false
        self.isForGood = false
        self.isChunkingRefusal = false
        self.isAmbiguous = false
        self.connection = nil
        self.isBrokenHandshake = false
        self.stored = failure
    }

    /// What the SMTP session gave up for.
    ///
    /// - Parameter isTLSOwed: what was said in clear may be an attacker's words, who would have the mail bounce.
    init(_ failure: SMTPClientFailure, isTLSOwed: Bool = false) {
        switch failure {
        case .greetingRefused(let reply) where reply.code == 521 && !isTLSOwed:
            // The host takes no mail, ever (RFC 7504 §3); another one may.
            self.init(reply, isServiceRefusal: true, isForGood: true)
        case .greetingRefused(let reply), .helloRefused(let reply), .serviceClosing(let reply, _):
            self.init(reply, isServiceRefusal: true)
        case .chunkingRefused(let reply):
            self.init(reply, isServiceRefusal: true, isChunkingRefusal: true)
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

    /// TLS is owed, and was not offered (no reply) or refused.
    init(startTLSUnavailable failure: FailureReason, _ reply: RemoteReply?) {
        self.init(
            failure, reply.map { "STARTTLS: \($0)" } ?? "STARTTLS is not offered", status: nil, reply: reply)
    }

    /// What a handshake failed for. A chain that matches nothing is kept, for `RefusalExplainer` to explain.
    init(_ failure: FailureReason, outcome: TLSClientOutcome, requirement: AttemptRequirement) {
        self.init(
            failure, Self.safe(outcome.failure?.text ?? "not authenticated"), connection: outcome.failure?.connection,
            isBrokenHandshake: [.truncated, .timedOut].contains(outcome.failure?.reason))
        self.refused = RefusedChain(outcome, requirement)
    }

    /// The same failure, with why the chain was refused.
    func explained(by text: String) -> HostFailure {
        HostFailure(self.failure, Self.safe("\(self.detail): \(text)"), connection: self.connection)
    }

    private static func safe(_ text: String) -> String {
        SafeText.escape(bytes: text.utf8.prefix(SMTPReply.maximumDescription))
    }

    /// The host had not greeted us yet, and others wait for the connection.
    static var displaced: HostFailure {
        var failure = HostFailure(.connectionTimeout, "no greeting yet, and other hosts wait for their turn")
        failure.isDisplaced = true
        return failure
    }

    /// The host has had all the time that there is while others wait.
    static func outOfTime(in phase: ConnectionPhase, at stage: SMTPClientStage) -> HostFailure {
        let time = "\(ConnectionAdmission.longestLook.components.seconds) s, and other hosts wait"
        return switch phase {
        case .opening(let hasGreeted):
            HostFailure(.connectionTimeout, "\(hasGreeted ? "not ready for mail after" : "no greeting in") \(time)")
        case .talking(_, let isEnding):
            HostFailure(.connectionLost, "no answer at \(stage) in \(time)", isAmbiguous: isEnding)
        case .sending, .idle: HostFailure(.connectionLost, "not needed any more")
        }
    }

    /// It took its time, and would have for any message and any domain: nothing was heard of the host.
    var isOfWaiting: Bool { !self.isDisplaced && [.connectionTimeout, .hostUnreachable].contains(self.failure) }

    /// The same, for those who did not try the address themselves.
    var toldToOthers: HostFailure {
        HostFailure(self.failure, self.detail.isEmpty ? Self.hearsay : "\(self.detail), \(Self.hearsay)")
    }

    private static let hearsay = "as another connection to the address has just shown"

    /// The peer said nothing within the deadline of this stage.
    static func silence(at stage: SMTPClientStage) -> HostFailure {
        switch stage {
        case .greeting: HostFailure(.connectionTimeout, "no greeting in time")
        case .finalDot: HostFailure(.connectionLost, "no reply to the final dot in time", isAmbiguous: true)
        default: HostFailure(.connectionLost, "no answer in time at \(stage)")
        }
    }

    /// The peer answered again and again, but the transaction did not come to its end within its deadline.
    static func overdue(at stage: SMTPClientStage) -> HostFailure {
        HostFailure(.connectionLost, "the transaction took too long, at \(stage)")
    }

    /// Of a connection that has not carried mail yet: it was refused, broken off, or left waiting, or the host said 4yz (RFC 5321
    /// §3.8, §4.5.4.1). A host does so too when it has as many connections as it wants.
    var isOfConnecting: Bool {
        switch self.failure {
        case .connectionRefused, .connectionTimeout, .connectionLost: !self.isAmbiguous
        case .remoteReply: self.isServiceRefusal && !(self.reply?.isPermanent ?? true)
        default: self.isBrokenHandshake
        }
    }

    /// Whether this message is refused for good.
    var isPermanent: Bool {
        guard self.failure == .remoteReply else { return self.failure.isPermanent }
        return (!self.isServiceRefusal || self.isForGood) && self.reply?.isPermanent ?? false
    }

    /// The failure as the queue keeps it and reports tell it.
    func deliveryFailure(host: String?) -> DeliveryFailure {
        if let stored { return stored }
        var status =
            self.status ?? (self.failure.isPermanent ? self.failure.permanentStatus : self.failure.transientStatus)
        if self.failure == .remoteReply, let reply {
            let told = EnhancedStatusCode(of: reply)
            status =
                self.isServiceRefusal && !self.isForGood
                ? EnhancedStatusCode(.persistentTransientFailure, told.subject, told.detail) : told
        }
        var text = self.detail.isEmpty ? self.failure.text : "\(self.failure.text) (\(self.detail))"
        if self.isAmbiguous { text += "; the message may have been delivered" }
        return DeliveryFailure(
            failureClass: self.failure.isSecurityFailure ? .security : .general, status: status,
            reason: self.failure, text: text,
            reply: self.failure == .remoteReply ? self.reply.map { "\($0)" } : nil,
            host: host)
    }
}

extension EnhancedStatusCode {
    /// The status of a refusing reply: its own code where that agrees with the reply code, else `x.0.0`.
    init(of reply: RemoteReply) {
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
