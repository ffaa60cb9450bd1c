import Admission
import DatabaseHealth
import DeliveryQueue
import Logging
import MailModel
import NodeState
import QueueStore
import RelayConfiguration
import ServiceLifecycle
import ServiceSupport
import ShardLeases

/// The services that every listener asks before it takes mail: who the client is, whether a recipient exists, and
/// whether there is capacity.
struct AdmissionServices {
    let authenticator: Authenticator
    private let callAhead: CallAheadService
    private let returning: ReturningDomains
    private let monitor: StoreMonitor?
    private let storage: StorageMonitor
    private let standing: StandingRules
    private let clock: DatabaseClock
    private let copyBudget: CopyBudget
    let stagingBudget: StagingBudget

    init(
        configuration: RelaydConfiguration, state: Replaceable<NodeState>, returning: ReturningDomains,
        callAhead: CallAheadService, standing: StandingRules, clock: DatabaseClock, store: QueueStore,
        monitor: StoreMonitor?, metrics: InboundMetrics,
        time: any NodeClock, logger: Logger,
        isWriterCongested: @escaping @Sendable () -> Bool
    ) {
        self.authenticator = Authenticator(
            users: { state.current.users }, limits: configuration.authenticatorLimits, metrics: metrics, time: time,
            logger: logger)
        self.callAhead = callAhead
        self.returning = returning
        self.monitor = monitor
        self.standing = standing
        self.clock = clock
        self.copyBudget = configuration.copyBudget
        self.stagingBudget = configuration.stagingBudget(time: time)
        self.storage = StorageMonitor(
            configuration.storageLimits, staging: self.stagingBudget, store: store, metrics: metrics,
            time: time, logger: logger, isWriterCongested: isWriterCongested)
    }

    /// They are needed until the clients are gone.
    var services: [any Service] {
        [self.authenticator, self.callAhead, self.storage]
    }

    /// A listener's environment in which they are asked.
    func environment(_ environment: InboundEnvironment) -> InboundEnvironment {
        var environment = environment
        environment.authenticate = { [authenticator = self.authenticator] in await authenticator.judge($0, from: $1) }
        let (returning, monitor) = (self.returning, self.monitor)
        environment.verifier = self.callAhead
        environment.routeRefusal = { await returning.refusal(of: $0) }
        let (standing, clock) = (self.standing, self.clock)
        environment.ruleRefusal = { domain, sender in
            SMTPReply(refusedBy: standing.governing(domain, isFromNullSender: sender == .null, at: clock.now))
        }
        let storage = self.storage
        environment.storageRefusal = { monitor?.refusal ?? storage.refusal(of: $0) }
        environment.copyBudget = self.copyBudget
        return environment
    }
}

/// Delivery asks next hops for those who take mail in.
extension CallAheadService: RecipientVerifier {}

extension SMTPReply {
    /// What a client hears about a recipient whose mail an operator's rule has given up; with the code of `queue fail`.
    init?(refusedBy rule: QueueRule?) {
        guard let rule, rule.action == .bounce else { return nil }
        self.init(
            550, EnhancedStatusCode(.permanentFailure, 7, 0),
            "Mail for this domain is refused by an operator: \(SafeText.escape(rule.reason))")
    }
}
