package import Admission
package import DatabaseHealth
package import DeliveryQueue
import Logging
package import MailModel
import SMTPProtocol
package import ServiceLifecycle

/// The services that every listener asks before it takes mail: who the client is, whether a recipient exists, and
/// whether there is capacity.
package struct AdmissionServices: Sendable {
    private let authenticator: Authenticator
    private let verifier: any RecipientVerifier
    private let returning: ReturningDomains
    private let rule: @Sendable (DomainName, ReversePath) -> QueueRule?
    private let storage: StorageMonitor
    private let monitor: StoreMonitor
    private let copyBudget: CopyBudget

    /// - Parameters:
    ///   - verifier: is asked about recipients of accepted domains whose next hop knows them.
    ///   - rule: what operators say now of mail to a domain from a sender.
    package init(
        authenticator: Authenticator, verifier: any RecipientVerifier, returning: ReturningDomains,
        rule: @escaping @Sendable (DomainName, ReversePath) -> QueueRule?, storage: StorageMonitor,
        monitor: StoreMonitor, copyBudget: CopyBudget
    ) {
        self.authenticator = authenticator
        self.verifier = verifier
        self.returning = returning
        self.rule = rule
        self.storage = storage
        self.monitor = monitor
        self.copyBudget = copyBudget
    }

    /// They are needed until the clients are gone.
    package var services: [any Service] { [self.authenticator, self.storage] }

    /// A listener's environment in which they are asked.
    package func environment(_ environment: InboundEnvironment) -> InboundEnvironment {
        var environment = environment
        environment.authenticate = { [authenticator = self.authenticator] in await authenticator.judge($0, from: $1) }
        environment.verifier = self.verifier
        environment.routeRefusal = { [returning = self.returning] in await returning.refusal(of: $0) }
        environment.ruleRefusal = { [rule = self.rule] in SMTPReply(refusedBy: rule($0, $1)) }
        environment.storageRefusal = { [monitor = self.monitor, storage = self.storage] in
            monitor.refusal ?? storage.refusal(of: $0)
        }
        environment.copyBudget = self.copyBudget
        return environment
    }
}

extension SMTPReply {
    /// What a client hears about a recipient whose mail an operator's rule has given up; with the code of `queue fail`.
    fileprivate init?(refusedBy rule: QueueRule?) {
        guard let rule, rule.action == .bounce else { return nil }
        self.init(
            550, EnhancedStatusCode(.permanentFailure, 7, 0),
            "Mail for this domain is refused by an operator: \(SafeText.escape(rule.reason))")
    }
}
