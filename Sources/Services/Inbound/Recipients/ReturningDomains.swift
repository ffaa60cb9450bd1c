import Admission
package import Logging
package import MailModel
package import NodeState
import Routing
import SMTPProtocol
import SecureResolver
package import ServiceSupport
import Synchronization

/// Refuses recipients of accepted domains whose mail would come back to this node; see `ReturningMail`.
package final class ReturningDomains: Sendable {
    /// The most time for an answer about a recipient. Without one it is accepted.
    private static let answerTime = Duration.seconds(10)
    /// How often it is logged that recipients are refused.
    private static let sayingPause = Duration.seconds(60)

    private let state: Replaceable<NodeState>
    private let mail: ReturningMail
    private let logger: Logger
    private let time: any NodeClock
    private let lastSaid = Mutex<MonotonicInstant?>(nil)

    package init(_ mail: ReturningMail, state: Replaceable<NodeState>, time: any NodeClock, logger: Logger) {
        self.mail = mail
        self.state = state
        self.time = time
        self.logger = logger
    }

    /// What a client is told of a recipient whose mail would come back.
    static let comesBack = SMTPReply(
        451, EnhancedStatusCode(.persistentTransientFailure, 4, 6),
        "Mail for this domain would come back to this host, try later")

    /// The refusal of recipients of a domain whose mail would come back; `nil` where it would not, or nobody can say in time.
    func refusal(of domain: DomainName) async -> SMTPReply? {
        guard let accepted = self.state.current.policy.domains[domain] else { return nil }
        let isReturning = await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.mail.comesBack(domain, by: accepted.nextHop) }
            group.addTask {
                try? await self.time.sleep(for: Self.answerTime)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
        guard isReturning else { return nil }
        let isNews = self.lastSaid.withLock { last in
            if let last, self.time.now - last < Self.sayingPause { return false }
            last = self.time.now
            return true
        }
        if isNews {
            self.logger.warning("accepted-domains: \(ReturningMail.words(domain, by: accepted.nextHop))")
        }
        return Self.comesBack
    }
}
