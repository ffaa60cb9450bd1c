package import Logging
package import MailModel
package import RouteLookup
import Routing
package import SecureResolver
import Synchronization
package import Telemetry

/// Whether our own resolver works: examined now and then, and whenever a look-up fails for which it may be to blame.
///
/// One examination goes on at a time, by `run`, and all who ask meanwhile wait for it.
package actor ResolverHealth {
    private static let interval = Duration.seconds(1)

    private let resolver: SecureResolver
    private let health: HealthRegistry
    private let metrics: DNSMetrics
    private let time: any NodeClock
    private let logger: Logger
    private var last: ValidationStatus?
    /// What look-ups have come to. Each message notes those that go well, so that takes no step of the actor.
    private let lookups: Mutex<(pace: ExaminationPace, share: BogusShare)>
    private var saidThatMostAreBogus: MonotonicInstant?
    private var isClosed = false
    private var isExamining = false
    /// One waiting request says all that more could say.
    private let (requests, request) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private var waiting: [CheckedContinuation<Void, Never>] = []

    package init(
        resolver: SecureResolver, health: HealthRegistry, metrics: DNSMetrics, time: any NodeClock, logger: Logger
    ) {
        self.time = time
        self.lookups = Mutex((pace: ExaminationPace(), share: BogusShare(at: time.now)))
        self.resolver = resolver
        self.health = health
        self.metrics = metrics
        self.logger = logger
    }

    /// Tells it of look-ups.
    package nonisolated var watch: LookupWatch {
        LookupWatch(
            succeeded: { self.succeeded($0) }, isOurFault: { await self.isAtFault($0, isBogus: $1) },
            whenClosed: { await self.close() })
    }

    /// A look-up for a domain went well, as far as DNSSEC is concerned.
    nonisolated func succeeded(_ domain: NextHop) {
        self.lookups.withLock { lookups in
            lookups.share.note(domain, isBogus: false, at: self.time.now)
            lookups.pace.noteSuccess()
        }
    }

    /// A look-up for a domain failed: whether it did so since our resolver does not work.
    func isAtFault(_ domain: NextHop, isBogus: Bool) async -> Bool {
        if isBogus { self.lookups.withLock { $0.share.note(domain, isBogus: true, at: self.time.now) } }
        guard !self.isClosed else { return true }
        let isDue = self.lookups.withLock { lookups in
            lookups.pace.failed(domain)
            return lookups.pace.isDue(true, at: self.time.now)
        }
        if self.isExamining || isDue {
            self.request.yield()
            await withCheckedContinuation { self.waiting.append($0) }
        }
        guard !self.isClosed, self.last == .validating else { return true }
        guard isBogus, self.lookups.withLock(\.share.isOurs) else { return false }
        self.sayThatMostAreBogus()
        return true
    }

    /// Answers whoever waits: nobody examines the resolver any more.
    func close() {
        self.isClosed = true
        self.resumeWaiters()
    }

    /// Examines the resolver when somebody asks, and now and then, until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    self.request.yield()
                    try? await self.time.sleep(for: Self.interval)
                }
            }
            for await _ in self.requests { await self.examine() }
        }
        self.close()
    }

    /// Reads the trust anchors anew. Gives why they are not taken.
    ///
    /// - Parameter isRoutine: nobody asked for it.
    package func reloadAnchors(isRoutine: Bool = false) async -> String? {
        let reason = await self.resolver.reload(isRoutine: isRoutine)
        if let reason { self.logger.error("trust anchors not reloaded", metadata: ["reason": "\(reason)"]) }
        return reason
    }

    private func examine() async {
        let hasFailed = !self.waiting.isEmpty
        if self.lookups.withLock({ $0.pace.isDue(hasFailed, at: self.time.now) }) {
            self.isExamining = true
            defer { self.isExamining = false }
            let began = self.time.now
            // The file may have been replaced; one that is no good is told of once a look.
            if !hasFailed { _ = await self.reloadAnchors(isRoutine: true) }
            let status = await self.resolver.selfTest()
            // One that was broken off says nothing.
            guard !Task.isCancelled else { return }
            if status != self.last { self.announce(status) }
            self.last = status
            self.lookups.withLock { $0.pace.examined(status == .validating, began: began, byFailure: hasFailed) }
        }
        self.resumeWaiters()
    }

    private func resumeWaiters() { for waiter in exchange(&self.waiting, with: []) { waiter.resume() } }

    private func sayThatMostAreBogus() {
        if let last = self.saidThatMostAreBogus, self.time.now - last < .seconds(60) { return }
        self.saidThatMostAreBogus = self.time.now
        self.logger.error(
            "most domains fail DNSSEC, so the resolver is suspected; their mail waits and spends no retry")
    }

    private func announce(_ status: ValidationStatus) {
        self.metrics.dnsResolverValidating.set(status == .validating)
        switch status {
        case .validating:
            self.health.set(.resolver, .passing)
            self.logger.notice("resolver validates", metadata: ["resolver": "\(self.resolver.startupDescription)"])
        case .notValidating(let reason), .unreachable(let reason):
            self.health.set(.resolver, .degraded("\(status)"))
            self.logger.error(
                "resolver does not validate; mail that needs DNS waits", metadata: ["reason": "\(reason)"])
        }
    }
}
