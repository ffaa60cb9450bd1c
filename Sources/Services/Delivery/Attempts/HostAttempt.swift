import DeliveryQueue
import MailModel
import QueueStore
import Routing
import SMTPProtocol
import TLSEngine
import TransportSecurity

/// One host that was tried, or skipped, for one message: what its trace row and log line tell.
struct HostAttempt: Sendable {
    /// The host; `nil` where there was no route.
    var host: PlannedHost?
    /// What the operator demanded of it.
    var policy = TransportPolicy.opportunistic
    /// What the look-ups were worth where they led to no host.
    var routeStates: HostStates?
    var address: IPAddress?
    /// What the connection proved, where there was one.
    var established: Established?
    /// What TLS was agreed upon, even if the host was then refused.
    var tlsConnection: TLSConnectionInfo? { self.established?.info ?? self.failure?.connection }
    /// How the host proved itself; `nil` where none was tried.
    var authentication: AuthenticationLabel? {
        self.established?.label ?? (self.address == nil ? nil : AuthenticationLabel.none)
    }
    /// Why TLS that the host offered was given up before the connection in clear, whatever came of that.
    var abandonedTLS: AbandonedTLS? { self.established?.abandonedTLS ?? self.failure?.abandonedTLS }
    /// Why TLS was given up, or is without SNI, for trace and log.
    var tlsFailure: String? {
        self.abandonedTLS.map { "\($0)" } ?? self.established?.rejectedName.map { "without SNI, after \($0)" }
    }
    /// Why the host did not take the message as a whole.
    var failure: HostFailure?
    /// What came of single recipients there, by their position in the entry.
    var outcomes: [Int: AttemptOutcome] = [:]
    var duration = Duration.zero
    /// Over a connection from an earlier message: nothing was negotiated anew.
    var isWarm = false
    /// The attempt could not be put on record, so the message was not sent.
    var isUnrecorded = false
    /// The end of the message was not sent, since our lease was too short for it.
    var isWithdrawn = false
    /// The host by its name, or as an address literal where it has none.
    var hostText: String? { self.host?.name?.text ?? self.address.map { "\(Mailbox.Domain.literal($0))" } }
    /// The connection had carried all it may before every recipient had a turn, or the host refuses BDAT; over another one the
    /// rest may follow.
    var isCutShort = false
    /// Our own resolver could not look it up.
    var isOurResolvers = false
    /// This system itself could not open a connection: nobody was asked.
    var isOurNetworks: Bool { self.failure?.failure == .localNetwork }
    /// The host refused the connection while others to the same address worked: it was one too many.
    var isCrowded = false
    /// The host had not greeted us yet, and the connection was closed for others who waited.
    var isDisplaced: Bool { self.failure?.isDisplaced == true }
}

extension HostAttempt {
    /// There was no host.
    init(_ reason: NoRoute, duration: Duration) {
        self.init(
            routeStates: reason.states,
            failure: HostFailure(FailureReason(reason), SafeText.escape(reason.explanation)), duration: duration)
        if case .failed(let failure) = reason { self.isOurResolvers = failure.isOurResolvers }
    }
}

extension HostAttempt {
    /// The host failed in a way that has nothing to do with the message: it would have, whatever was to be sent.
    fileprivate var isOfDestination: Bool { self.failedByItself && self.established == nil }

    /// The host took the connection, and closed it with a 421 when it heard of the message. That may be for the sender, or
    /// for everybody.
    fileprivate var isClosing: Bool {
        self.failedByItself && self.established != nil && self.failure?.isServiceRefusal == true
            && self.failure?.isChunkingRefusal != true
    }

    private var failedByItself: Bool {
        guard let failure else { return false }
        return !failure.isAmbiguous && !self.isUnrecorded && !self.isOurResolvers && !self.isOurNetworks
    }
}

extension HostAttempt {
    /// What came of it would have come of any message, or is our own doing: nobody was told of this one.
    var isOfNoMessage: Bool { self.isOfDestination || self.isOurResolvers || self.isOurNetworks }
}

/// What one attempt came to, over all hosts.
struct AttemptReport: Sendable {
    /// In the order in which they were tried; at least one.
    var tries: [HostAttempt]
    /// One for each recipient of the entry.
    let outcomes: [AttemptOutcome]
    /// The attempt was not put on record: the entry is gone, the shard is lost, or the database does not answer.
    /// Nothing was sent and no outcome is recorded; whoever owns the entry finds it again. What a host has decided of
    /// some recipients before is recorded.
    var isVoid: Bool { self.tries.contains(where: \.isUnrecorded) && self.tries.allSatisfy(\.outcomes.isEmpty) }
    /// It was broken off for our own lease: nothing was delivered, and the message is not put off for it.
    var isWithdrawn: Bool { self.tries.contains(where: \.isWithdrawn) }
    /// A reply to a final dot was lost: the next attempt may deliver a second copy.
    let isAmbiguous: Bool

    /// Sums up, recipient by recipient. The first of these that there is counts:
    ///
    /// 1. a host's last word, 2yz or 5yz: it is the last one that was asked for;
    /// 2. a final dot without an answer, since the message may have been delivered;
    /// 3. a host's 4yz, of several the first: what kept us from asking further hosts does not hide it;
    /// 4. the most telling failure of all hosts (rule 24), of those first that may yet take the message. So what a host does
    ///    not offer is final only where no host offers it, and each was asked.
    ///
    /// - Parameter isCutOff: hosts are left that would have been tried, but for us.
    init(tries: [HostAttempt], recipients: Int, isCutOff: Bool = false) {
        self.tries = tries
        self.isAmbiguous = tries.contains { $0.failure?.isAmbiguous ?? false }
        self.outcomes = (0..<recipients).map { tries.outcome(ofRecipient: $0, isCutOff: isCutOff) }
    }

    /// What becomes of an attempt without an outcome that an earlier owner began: the message may have been delivered.
    /// It counts as failed, and takes the next step of the schedule.
    init(of entry: QueueEntry, interrupted open: OpenAttempt) {
        let failure = HostFailure(
            .connectionLost, "attempt \(open.attempt) of \(open.node) was interrupted", isAmbiguous: true)
        self.init(tries: [HostAttempt(failure: failure)], recipients: entry.recipients.count)
    }

    /// What becomes of an entry that an operator has given up: nobody is asked, and its recipients are refused for good.
    init(of entry: QueueEntry, verdict: String) {
        let failure = HostFailure(.failedByOperator, SafeText.escape(verdict))
        self.init(tries: [HostAttempt(failure: failure)], recipients: entry.recipients.count)
    }

    /// What becomes of an entry that was not attempted, since its destination is in backoff for this failure.
    init(of entry: QueueEntry, waitingFor failure: DeliveryFailure) {
        self.init(tries: [HostAttempt(failure: HostFailure(stored: failure))], recipients: entry.recipients.count)
    }

    /// What the attempt to deliver mail of this sender showed of the destination as a whole.
    func finding(sender: String) -> DestinationFinding {
        guard self.tries.allSatisfy(\.outcomes.isEmpty), case .failed(let failure)? = self.outcomes.first else {
            return .answered
        }
        // Nobody was asked.
        if failure.reason == .failedByOperator { return .inconclusive }
        // A domain that says for good that it takes no mail has nothing to wait for.
        if failure.isPermanent { return .answered }
        guard self.tries.allSatisfy({ $0.isOfDestination || $0.isClosing }) else { return .inconclusive }
        return self.tries.contains(where: \.isClosing) ? .closed(failure, sender: sender) : .failed(failure)
    }
}
