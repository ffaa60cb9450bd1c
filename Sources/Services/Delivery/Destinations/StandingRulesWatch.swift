import DeliveryQueue
package import Logging
package import MailModel
package import QueueStore
import ServiceLifecycle
import ServiceSupport
package import ShardLeases
import Synchronization
package import Telemetry

/// Reads the rules of operators (`relayctl queue suspend|bounce`) once a second, and sees when they end.
///
/// What cannot be read stays as it is known: mail that an operator wants kept back must not go for a fault of the database.
/// Likewise no delivery begins before they have been read once; mail is taken.
package final class StandingRulesWatch: Service {
    private struct State {
        var version: QueueRuleVersion?
        var known: [QueueRule] = []
        var isUnread = false
    }

    private static let interval = Duration.seconds(1)
    /// The most rules that `/readyz?verbose` names.
    private static let mostTold = 20

    private let standing: StandingRules
    private let store: QueueStore
    private let health: HealthRegistry
    private let clock: DatabaseClock
    private let metrics: DeliveryMetrics
    private let time: any NodeClock
    private let logger: Logger
    private let state = Mutex(State())

    package init(
        _ standing: StandingRules, store: QueueStore, health: HealthRegistry, clock: DatabaseClock,
        metrics: DeliveryMetrics, time: any NodeClock, logger: Logger
    ) {
        self.standing = standing
        self.store = store
        self.health = health
        self.clock = clock
        self.metrics = metrics
        self.time = time
        self.logger = logger
    }

    /// Looks until the graceful shutdown reaches it.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.look()
                try? await self.time.sleep(for: Self.interval)
            }
        }
    }

    /// Looks once; whether other rules are in force than before.
    @discardableResult
    package func look() async -> Bool {
        let read = await self.read()
        let now = self.clock.now
        let change = self.state.withLock { state -> RuleChange in
            let inForce = QueueRules(read ?? state.known).inForce(at: now)
            return RuleChange(from: exchange(&state.known, with: inForce), to: inForce)
        }
        if !change.isEmpty || read != nil && !self.standing.areKnown { self.obey(change) }
        return !change.isEmpty
    }

    /// The rules, if they are others than before and can be read. That they cannot is said once.
    private func read() async -> [QueueRule]? {
        let areKnown = self.standing.areKnown
        do throws(QueueStoreError) {
            let found = try await self.store.queueRules(unless: self.state.withLock(\.version))
            let wasUnread = self.state.withLock { state in
                state.version = found.version
                return exchange(&state.isUnread, with: false)
            }
            if wasUnread {
                self.logger.notice(
                    areKnown ? "standing rules are read again" : "standing rules are read, and deliveries begin")
            }
            return found.rules
        } catch {
            let wasUnread = self.state.withLock { exchange(&$0.isUnread, with: true) }
            if !wasUnread {
                self.logger.warning(
                    areKnown
                        ? "standing rules are not read: those that are known stay in force"
                        : "standing rules are not read yet: no delivery begins until they are; mail is taken",
                    metadata: ["error": "\(error)"])
            }
            return nil
        }
    }

    private func obey(_ change: RuleChange) {
        self.standing.replace(with: change.inForce)
        for action in QueueRule.Action.allCases {
            self.metrics.queueRules.set(
                action, to: change.inForce.count { $0.action == action })
        }
        self.health.setRemarks(
            change.inForce.prefix(Self.mostTold).map(\.remark)
                + (change.inForce.count > Self.mostTold
                    ? ["and \(change.inForce.count - Self.mostTold) more rules"] : []))
        for rule in change.begun { self.log(rule, "a rule of an operator is in force") }
        for rule in change.ended { self.log(rule, "a rule of an operator has ended") }
    }

    private func log(_ rule: QueueRule, _ message: Logger.Message) {
        self.logger.notice(
            message,
            metadata: [
                LogKey.event: "\(LogEventName.admin.rawValue)", LogKey.rule: .stringConvertible(rule.id),
                LogKey.action: "\(rule.action.rawValue)", LogKey.recipientDomain: "\(rule.scope)",
                LogKey.until: "\(rule.until.map { "\($0)" } ?? "lifted")", LogKey.reason: "\(rule.reason)",
            ])
    }
}

/// What has changed of the rules in force.
private struct RuleChange {
    let inForce: [QueueRule]
    let begun: [QueueRule]
    let ended: [QueueRule]

    init(from former: [QueueRule], to inForce: [QueueRule]) {
        self.inForce = inForce
        let (known, new) = (Set(former), Set(inForce))
        self.begun = inForce.filter { !known.contains($0) }
        // One with another end or reason has not ended.
        let ids = Set(inForce.map(\.id))
        self.ended = former.filter { !new.contains($0) && !ids.contains($0.id) }
    }

    var isEmpty: Bool { self.begun.isEmpty && self.ended.isEmpty }
}

extension QueueRule {
    /// A line for operators, such as `suspend bravo.test until 2026-11-30T12:00:00.000Z: their disk is full`.
    fileprivate var remark: String {
        let end = self.until.map { "until \($0)" } ?? "until it is lifted"
        return "rule \(self.id): \(self.action.rawValue) \(self.scope) \(end): \(self.reason)"
    }
}
