import DeliveryQueue
import MailModel
import SMTPProtocol
import TLSEngine
import TransportSecurity

/// Why one host did not take a message: what everyone is told of it, and what it means for other hosts and connections.
struct HostFailure: Error, Hashable {
    /// As trace, metrics and reports tell it, but for the host.
    let told: DeliveryFailure
    /// What happened, for people; made safe where it came from a peer.
    let detail: String
    /// The reply refused this host's service, not the message: whatever its code, the next host, or this one later, may
    /// take the message. It may have been forged in clear, so it must never bounce mail.
    private(set) var isServiceRefusal = false
    /// The reply refused BDAT itself, so that the host is asked once more, with DATA.
    private(set) var isChunkingRefusal = false
    /// The final dot was written and its reply never came: the host may have taken the message.
    let isAmbiguous: Bool
    /// What was agreed upon in a handshake that was completed and then refused.
    private(set) var connection: TLSConnectionInfo?
    /// The chain that was refused, until that is explained.
    private(set) var refused: RefusedChain?
    /// In the handshake the host fell silent, or closed the connection.
    private(set) var isBrokenHandshake = false
    /// The connection was closed for others who waited.
    private(set) var isDisplaced = false
    /// It was not found now: it is how the destination failed last, as that was stored.
    private(set) var isStored = false
    /// Why TLS was given up before the connection that failed so.
    var abandonedTLS: AbandonedTLS?

    /// Under the one name that it has everywhere.
    var failure: FailureReason { self.told.reason }

    /// What we found ourselves, or what the host replied, where that is not the failure.
    init(
        _ failure: FailureReason, _ detail: String = "", replyCode: UInt16? = nil, isAmbiguous: Bool = false,
        connection: TLSConnectionInfo? = nil, isBrokenHandshake: Bool = false
    ) {
        let told = DeliveryFailure(failure, detail, replyCode: replyCode)
        self.told = isAmbiguous ? told.adding("; the message may have been delivered") : told
        self.detail = detail
        self.isAmbiguous = isAmbiguous
        self.connection = connection
        self.isBrokenHandshake = isBrokenHandshake
    }

    /// The host refused its service.
    ///
    /// - Parameter isForGood: whether no later attempt at this host is of any use.
    private init(refusedBy reply: RemoteReply, isForGood: Bool = false, isChunkingRefusal: Bool = false) {
        self.told = DeliveryFailure(reply, isOfService: !isForGood)
        self.detail = "\(reply)"
        self.isAmbiguous = false
        self.isServiceRefusal = true
        self.isChunkingRefusal = isChunkingRefusal
    }

    /// How the destination failed last.
    init(stored failure: DeliveryFailure) {
        self.told = failure
        self.detail = failure.text
        self.isAmbiguous = false
        self.isStored = true
    }

    /// What the SMTP session gave up for.
    ///
    /// - Parameter isTLSOwed: what was said in clear may be an attacker's words, who would have the mail bounce.
    init(_ failure: SMTPClientFailure, isTLSOwed: Bool = false) {
        switch failure {
        case .greetingRefused(let reply) where reply.code == 521 && !isTLSOwed:
            // The host takes no mail, ever (RFC 7504 §3); another one may.
            self.init(refusedBy: reply, isForGood: true)
        case .greetingRefused(let reply), .helloRefused(let reply), .serviceClosing(let reply, _):
            self.init(refusedBy: reply)
        case .chunkingRefused(let reply):
            self.init(refusedBy: reply, isChunkingRefusal: true)
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
            failure, reply.map { "STARTTLS: \($0)" } ?? "STARTTLS is not offered", replyCode: reply?.code)
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
        var failure = HostFailure(
            self.failure, Self.safe("\(self.detail): \(text)"), connection: self.connection)
        failure.abandonedTLS = self.abandonedTLS
        return failure
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

    /// Of a connection that has not carried mail yet. The host refused it, broke it off, left it waiting, or said 4yz
    /// (RFC 5321 §3.8, §4.5.4.1). A host does so too when it has as many connections as it wants.
    var isOfConnecting: Bool {
        switch self.failure {
        case .connectionRefused, .connectionTimeout, .connectionLost: !self.isAmbiguous
        case .remoteReply: self.isServiceRefusal && self.told.replyCode.map { $0 < 500 } ?? false
        default: self.isBrokenHandshake
        }
    }
}
