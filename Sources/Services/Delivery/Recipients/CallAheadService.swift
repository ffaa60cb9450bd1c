package import Admission
package import Logging
package import MailModel
package import NIOCore
import NodeState
package import SMTPProtocol
import ServiceLifecycle
import ServiceSupport
package import ShardLeases
import Synchronization
import Telemetry

/// Verifies recipients by asking the next hop of their domain, as a child of its own `run()`.
///
/// Answers are cached; an address is asked about once at a time. The number of questions under way is limited for one
/// domain and in all, and the others wait their turn. Whoever asks hears an answer within the deadline.
package final class CallAheadService: Service {
    /// The settings under `call-ahead`.
    package struct Limits: Hashable, Sendable {
        var deadline: Duration
        var table: CallAheadTable<CheckedContinuation<CallAheadVerdict, Never>>.Limits
        var connections: Int
        var connectionsPerDomain: Int
        /// Whether a recipient about whom nobody can say anything is accepted.
        var acceptsUnsure: Bool

        package init(
            deadline: Duration, table: CallAheadTable<CheckedContinuation<CallAheadVerdict, Never>>.Limits,
            connections: Int, connectionsPerDomain: Int, acceptsUnsure: Bool
        ) {
            self.deadline = deadline
            self.table = table
            self.connections = connections
            self.connectionsPerDomain = connectionsPerDomain
            self.acceptsUnsure = acceptsUnsure
        }
    }

    private typealias Table = CallAheadTable<CheckedContinuation<CallAheadVerdict, Never>>

    private let hosts: HostAccess
    private let standing: StandingRules
    private let metrics: DeliveryMetrics
    private let logger: Logger
    private let clock: DatabaseClock
    private let time: any NodeClock
    private let eventLoops: any EventLoopGroup
    private let limits: Limits
    private let table: Mutex<Table>
    private let budget: FairBudget<DomainName>
    /// Of that, what is for domains whose next hop did not answer the last question.
    private let unanswered: FairBudget<DomainName>
    /// By domain, of those whose recipients are verified; made at their first question.
    private let budgets = Mutex<[DomainName: FairBudget<DomainName>]>([:])
    private let supervisor = TaskSupervisor(backlog: 65_536)
    private let lastSaid = Mutex<MonotonicInstant?>(nil)
    /// How often it is said that there are too many questions.
    private static let sayingPause = Duration.seconds(60)

    package init(
        _ limits: Limits, hosts: HostAccess, standing: StandingRules, eventLoops: any EventLoopGroup,
        metrics: DeliveryMetrics, logger: Logger, clock: DatabaseClock, time: any NodeClock
    ) {
        self.hosts = hosts
        self.standing = standing
        self.metrics = metrics
        self.logger = logger
        self.clock = clock
        self.time = time
        self.eventLoops = eventLoops
        self.limits = limits
        self.table = Mutex(Table(limits.table))
        self.budget = FairBudget(limits.connections)
        self.unanswered = FairBudget(max(1, limits.connections / 2))
    }

    /// Works until the clients are gone.
    package func run() async throws {
        await withTaskGroup { group in
            group.addTask { await self.supervisor.run() }
            await cancelWhenGracefulShutdown { await self.time.sleepUntilCancelled() }
            self.supervisor.close()
            group.cancelAll()
        }
    }

    /// Whether a recipient may pass.
    package func decide(_ mailbox: Mailbox, of domain: DomainName) async -> SMTPRecipientDecision {
        let state = self.hosts.state.current
        let nextHop = state.policy.nextHop(for: domain, port: self.hosts.port)
        switch await self.verdict(of: CallAheadAddress(mailbox, of: domain, at: nextHop), by: state) {
        case .exists:
            self.metrics.smtpdVerifications.increment(.exists)
            return .accept
        case .unknown(let reply):
            self.metrics.smtpdVerifications.increment(.unknown)
            return .refuse(reply)
        case .unsure:
            self.metrics.smtpdVerifications.increment(.unsure)
            return self.limits.acceptsUnsure ? .accept : .refuse(CallAheadVerdict.notNow)
        }
    }

    private func verdict(of address: CallAheadAddress, by state: NodeState) async -> CallAheadVerdict {
        if self.standing.suspension(of: address.domain, at: self.clock.now) != nil {
            // An operator has suspended its mail: no connection. What they have said before counts.
            return self.table.withLock { $0.known(address, at: self.time.now) } ?? .unsure
        }
        return await withCheckedContinuation { continuation in
            let now = self.time.now
            switch self.table.withLock({ $0.asked(address, by: continuation, at: now) }) {
            case .answer(let verdict): continuation.resume(returning: verdict)
            case .joined: ()
            case .refused(let refusal):
                self.refused(refusal)
                continuation.resume(returning: .unsure)
            case .ask(let number):
                let isAccepted = self.supervisor.submit { await self.askWithinDeadline(address, number, by: state) }
                if !isAccepted { self.landed(address, number, .unsure, .nothing) }
            }
        }
    }

    /// How far a question has come.
    private final class Progress: Sendable {
        /// The next hop is being asked: our own limits have let the question pass.
        let hasBegun = Atomic(false)
    }

    /// Asks, and lets nobody wait past the deadline, even where a look-up takes longer.
    private func askWithinDeadline(_ address: CallAheadAddress, _ number: UInt64, by state: NodeState) async {
        // No single step may take longer than all of them together. The question keeps its configuration: after a reload,
        // the answer of another next hop would count as this one's.
        let hosts = self.hosts.limited(to: self.limits.deadline, by: state)
        let progress = Progress()
        await withTaskGroup { group in
            group.addTask {
                let (verdict, hearing) = await self.callOut(address, hosts, progress)
                self.landed(address, number, verdict, hearing)
            }
            group.addTask {
                try? await self.time.sleep(for: self.limits.deadline)
                // Who stood in our own line has not been asked.
                self.landed(address, number, .unsure, progress.hasBegun.load(ordering: .relaxed) ? .silence : .nothing)
            }
            await group.next()
            group.cancelAll()
            hosts.dialer.closeAll()
        }
    }

    private func callOut(
        _ address: CallAheadAddress, _ hosts: HostAccess, _ progress: Progress
    ) async -> (CallAheadVerdict, Table.Hearing) {
        guard let ofDomain = self.budget(of: address.domain) else { return (.unsure, .nothing) }
        guard await ofDomain.acquire(for: address.domain) else { return (.unsure, .nothing) }
        defer { ofDomain.release(address.domain) }
        // Next hops that say nothing leave half of all to those that answer.
        let isAnswering = self.table.withLock { $0.isAnswering(address.domain) }
        if !isAnswering {
            guard await self.unanswered.acquire(for: address.domain) else { return (.unsure, .nothing) }
        }
        defer { if !isAnswering { self.unanswered.release(address.domain) } }
        guard await self.budget.acquire(for: address.domain) else { return (.unsure, .nothing) }
        defer { self.budget.release(address.domain) }
        // The turn may have come after the deadline.
        guard !Task.isCancelled else { return (.unsure, .nothing) }
        progress.hasBegun.store(true, ordering: .relaxed)
        let callout = RecipientCallout(hosts, time: self.time, on: self.eventLoops.next())
        let verdict = await callout.ask(address)
        return (verdict, await callout.hasHeard ? .answer : .silence)
    }

    /// `nil` for a domain whose recipients are not verified any more.
    private func budget(of domain: DomainName) -> FairBudget<DomainName>? {
        let domains = self.hosts.state.current.policy.domains
        guard domains[domain]?.verification == .callAhead else { return nil }
        return self.budgets.withLock { budgets in
            if let budget = budgets[domain] { return budget }
            // No number of reloads fills the memory.
            budgets = budgets.filter { domains[$0.key]?.verification == .callAhead }
            let budget = FairBudget<DomainName>(self.limits.connectionsPerDomain, leavesReserve: false)
            budgets[domain] = budget
            return budget
        }
    }

    /// A question is not asked, since too many are under way: counted, and said once a minute.
    private func refused(_ refusal: Table.Refusal) {
        let (limit, size): (VerificationLimitLabel, Int) =
            switch refusal {
            case .all(let size): (.all, size)
            case .domain(let size): (.domain, size)
            case .unanswered(let size): (.unanswered, size)
            }
        self.metrics.smtpdVerificationsRefused.increment(limit)
        let isNews = self.lastSaid.withLock { last in
            if let last, self.time.now - last < Self.sayingPause { return false }
            last = self.time.now
            return true
        }
        guard isNews else { return }
        self.logger.warning(
            "too many questions about recipients are under way: they count as not answered",
            metadata: [
                LogKey.limit: "\(limit.rawValue)", LogKey.size: .stringConvertible(size), LogKey.setting: "none",
            ])
    }

    private func landed(
        _ address: CallAheadAddress, _ number: UInt64, _ verdict: CallAheadVerdict, _ hearing: Table.Hearing
    ) {
        let now = self.time.now
        let waiters = self.table.withLock { $0.landed(address, question: number, verdict, hearing: hearing, at: now) }
        for waiter in waiters { waiter.resume(returning: verdict) }
    }
}
