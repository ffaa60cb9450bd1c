import Admission
import DeliveryQueue
import Logging
import MailModel
import NIOCore
import NodeState
import RelayConfiguration
import ServiceLifecycle
import ServiceSupport

/// Those whom every listener asks before mail is taken: who the client is, whether a recipient exists, and whether there
/// is room.
struct AdmissionServices {
    let authenticator: Authenticator
    private let callAhead: CallAheadService
    private let returning: ReturningDomains
    private let monitor: StoreMonitor?
    private let storage: StorageMonitor
    private let deliveries: DeliveryEnvironment
    private let copyBudget: CopyBudget
    private let stagingBudget: StagingBudget

    init(
        configuration: RelaydConfiguration, returning: ReturningDomains, deliveries: DeliveryEnvironment,
        metrics: InboundMetrics, eventLoops: any EventLoopGroup, isWriterCongested: @escaping @Sendable () -> Bool
    ) {
        let logger = deliveries.logger
        self.authenticator = Authenticator(
            users: { [state = deliveries.state] in state.current.users }, limits: configuration.authenticatorLimits,
            metrics: metrics, logger: logger)
        self.callAhead = CallAheadService(
            configuration.callAheadLimits, environment: deliveries, eventLoops: eventLoops)
        self.returning = returning
        self.monitor = deliveries.monitor
        self.deliveries = deliveries
        self.copyBudget = configuration.copyBudget
        self.stagingBudget = configuration.stagingBudget
        self.storage = StorageMonitor(
            configuration.storageLimits, staging: self.stagingBudget, store: deliveries.store, metrics: metrics,
            logger: logger, isWriterCongested: isWriterCongested)
    }

    /// They are needed until the clients are gone.
    var services: [any Service] {
        [self.authenticator, self.callAhead, self.storage]
    }

    /// A listener's environment in which they are asked.
    func environment(_ environment: InboundEnvironment) -> InboundEnvironment {
        var environment = environment
        environment.authenticate = { [authenticator = self.authenticator] in await authenticator.judge($0, from: $1) }
        let (callAhead, returning, monitor) = (self.callAhead, self.returning, self.monitor)
        environment.verifyRecipient = { await callAhead.decide($0, of: $1) }
        environment.routeRefusal = { await returning.refusal(of: $0) }
        let deliveries = self.deliveries
        environment.ruleRefusal = { domain, sender in
            let rule = deliveries.standing.governing(
                domain, isFromNullSender: sender == .null, at: deliveries.clock.now)
            return SMTPReply(refusedBy: rule)
        }
        let storage = self.storage
        environment.storageRefusal = { monitor?.refusal ?? storage.refusal(of: $0) }
        environment.copyBudget = self.copyBudget
        environment.stagingBudget = self.stagingBudget
        return environment
    }
}

extension SMTPReply {
    /// What a client hears about a recipient whose mail an operator's rule has given up; with the code of `queue fail`.
    init?(refusedBy rule: QueueRule?) {
        guard let rule, rule.action == .bounce else { return nil }
        self.init(
            550, EnhancedStatusCode(.permanentFailure, 7, 0),
            "Mail for this domain is refused by an operator: \(SafeText.escape(rule.reason))")
    }
}
