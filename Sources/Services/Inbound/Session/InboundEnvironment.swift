import Admission
package import DatabaseHealth
package import Logging
package import MailModel
package import NodeState
package import QueueStore
package import SMTPProtocol
package import ServiceSupport
import Telemetry

/// What all connections of one listener share.
package struct InboundEnvironment: Sendable {
    /// The name of this node in trace fields, and what its settings say of sessions.
    let session: SMTPServerSession.Configuration
    let timeouts: SMTPTimeouts
    let patience: ClientPatience
    /// Says whose mail is taken, and whether STARTTLS and AUTH are offered; it is replaced while sessions go on.
    var state: Replaceable<NodeState>
    let intake: MessageIntake
    let metrics: InboundMetrics
    let time: any NodeClock
    let random: RandomSource
    /// Says what credentials of a client at this address are worth.
    var authenticate: @Sendable (SASLCredentials, IPAddress) async -> SASLDecision = { _, _ in .unavailable }

    /// What is done to messages of clients that have proved by AUTH who they are.
    var submission: SubmissionRules

    /// Is asked about recipients of accepted domains whose next hop knows them.
    var verifier: (any RecipientVerifier)?
    /// Says why recipients of an accepted domain are refused now, whose mail goes where the DNS says.
    var routeRefusal: (@Sendable (DomainName) async -> SMTPReply?)?
    /// Why recipients of a domain are refused to a sender, whoever the client is: a rule of an operator.
    var ruleRefusal: @Sendable (DomainName, ReversePath) -> SMTPReply? = { _, _ in nil }
    /// The refusal of a message with such an envelope while the queue is full, or is not well.
    var storageRefusal: @Sendable (Envelope) -> SMTPReply? = { _ in nil }
    var copyBudget = CopyBudget.unlimited(inlineBytes: QueueLimits.inlineBody)
    /// What the bodies on their way in may take up.
    var stagingBudget: StagingBudget

    /// Nobody is asked about clients and recipients until `AdmissionServices` says whom.
    package init(
        session: SMTPServerSession.Configuration, timeouts: SMTPTimeouts, patience: ClientPatience,
        state: Replaceable<NodeState>, intake: MessageIntake, metrics: InboundMetrics, time: any NodeClock,
        random: RandomSource, submission: SubmissionRules = SubmissionRules(), stagingBudget: StagingBudget
    ) {
        self.session = session
        self.timeouts = timeouts
        self.patience = patience
        self.state = state
        self.intake = intake
        self.metrics = metrics
        self.time = time
        self.random = random
        self.submission = submission
        self.stagingBudget = stagingBudget
    }

    /// What one message of a client may take up.
    ///
    /// - Parameter isRestricted: the client may not relay, or the message has no sender.
    func copyBudget(isRestricted: Bool) -> CopyBudget {
        var budget = self.copyBudget
        budget.stagedBytes = self.stagingBudget.most(isRestricted: isRestricted)
        return budget
    }
}

/// What is done to messages of clients that have proved by AUTH who they are (RFC 6409 §8).
package struct SubmissionRules: Hashable, Sendable {
    /// A message without Date or Message-ID gets them, if its header section is not larger than `QueueLimits.inlineBody`.
    var addsMissingFields: Bool
    /// The trace field does not tell the client's address and name.
    var hidesClients: Bool

    package init(addsMissingFields: Bool = false, hidesClients: Bool = false) {
        self.addsMissingFields = addsMissingFields
        self.hidesClients = hidesClients
    }
}

/// Stores what clients send, and says what they are to be told.
package struct MessageIntake: Sendable {
    /// Stores a whole message; returns after the COMMIT.
    let enqueue: @Sendable (AcceptedMessage) async throws(QueueStoreError) -> Void
    /// Makes a writer for a body that is stored in pieces.
    let bodyWriter: @Sendable (AcceptedMessage) -> BodyWriter
    let supervisor: TaskSupervisor
    let metrics: InboundMetrics
    let time: any NodeClock
    let logger: Logger
    let log: InboundLog
    /// Is told how storing goes.
    var monitor: StoreMonitor?

    package init(
        enqueue: @escaping @Sendable (AcceptedMessage) async throws(QueueStoreError) -> Void,
        bodyWriter: @escaping @Sendable (AcceptedMessage) -> BodyWriter, supervisor: TaskSupervisor,
        metrics: InboundMetrics, time: any NodeClock, logger: Logger, log: InboundLog, monitor: StoreMonitor? = nil
    ) {
        self.enqueue = enqueue
        self.bodyWriter = bodyWriter
        self.supervisor = supervisor
        self.metrics = metrics
        self.time = time
        self.logger = logger
        self.log = log
        self.monitor = monitor
    }

    /// The reply to the end of the data: 250 only after the COMMIT.
    func store(_ message: AcceptedMessage) async -> SMTPReply {
        let (size, started) = (message.size, self.time.now)
        do throws(QueueStoreError) {
            try await self.enqueue(message)
        } catch {
            self.metrics.smtpdMessages.increment(.deferred)
            return self.reply(for: error)
        }
        self.monitor?.report(.wrote)
        self.metrics.queueOperationDuration.observe(.enqueue, self.time.now - started)
        self.metrics.smtpdMessages.increment(.accepted)
        self.metrics.smtpdMessageSize.observe(Double(size))
        self.metrics.queueEnqueued.increment(by: message.entries.count)
        self.log.accepted(message)
        return SMTPReply(250, EnhancedStatusCode(.success, 0, 0), "OK: queued as \(message.id)")
    }

    /// What a client hears when its message was not stored: it keeps the message and tries again.
    func reply(for error: QueueStoreError) -> SMTPReply {
        self.monitor?.report(error)
        // The refusal has a line, and the monitor tells once how the database is.
        self.logger.debug("not stored", metadata: ["error": "\(error)"])
        switch error.code {
        case .overloaded:
            return SMTPReply(452, EnhancedStatusCode(.persistentTransientFailure, 3, 1), "Queue is full, try later")
        default:
            let status = EnhancedStatusCode(.persistentTransientFailure, 3, 0)
            return SMTPReply(451, status, "Queue is not available, try later")
        }
    }

    /// Nobody is left to whom the message could go.
    static let noRecipients = SMTPReply(554, EnhancedStatusCode(.permanentFailure, 5, 1), "No valid recipients")

    /// The message has been through so many hosts that it goes in circles.
    static let routingLoop = SMTPReply(
        554, EnhancedStatusCode(.permanentFailure, 4, 6), "Too many Received fields: the message is in a loop")

    /// The node is over: what it can no longer store is refused for now.
    static let shuttingDown = SMTPReply(
        451, EnhancedStatusCode(.persistentTransientFailure, 3, 2), "Service is shutting down, try later")
}
