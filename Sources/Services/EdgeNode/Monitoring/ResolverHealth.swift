import Logging
import SecureResolver
import Telemetry

/// Whether our own resolver works: examined now and then, and whenever a look-up fails for which it may be to blame.
///
/// One examination goes on at a time, by `run`, and all who ask meanwhile wait for it.
actor ResolverHealth {
    /// An examination that began so long ago at most answers for a look-up that failed now.
    private static let recent = Duration.seconds(1)
    private static let interval = Duration.seconds(1)
    /// How often a resolver is examined that works, and about which nobody has doubts.
    private static let examination = Duration.seconds(30)

    private let resolver: SecureResolver
    private let health: HealthRegistry
    private let metrics: RelayMetrics
    private let logger: Logger
    private var last: (status: ValidationStatus, at: ContinuousClock.Instant)?
    private var isClosed = false
    /// One waiting request says all that more could say.
    private let (requests, request) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(resolver: SecureResolver, health: HealthRegistry, metrics: RelayMetrics, logger: Logger) {
        self.resolver = resolver
        self.health = health
        self.metrics = metrics
        self.logger = logger
    }

    /// A look-up failed: whether it did so since our resolver does not work.
    func isAtFault() async -> Bool {
        if self.isSound(within: Self.recent) { return false }
        guard !self.isClosed else { return true }
        self.request.yield()
        await withCheckedContinuation { self.waiting.append($0) }
        return self.isClosed || self.last?.status != .validating
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
                    try? await Task.sleep(for: Self.interval)
                }
            }
            for await _ in self.requests { await self.examine() }
        }
        self.close()
    }

    /// Whether an examination within so long found nothing wrong.
    private func isSound(within age: Duration) -> Bool {
        guard let last, last.status == .validating else { return false }
        return ContinuousClock.now - last.at < age
    }

    private func examine() async {
        if !self.isSound(within: self.waiting.isEmpty ? Self.examination : Self.recent) {
            let began = ContinuousClock.now
            let status = await self.resolver.selfTest()
            // One that was broken off says nothing.
            guard !Task.isCancelled else { return }
            if status != self.last?.status { self.announce(status) }
            self.last = (status, began)
        }
        self.resumeWaiters()
    }

    private func resumeWaiters() { for waiter in exchange(&self.waiting, with: []) { waiter.resume() } }

    private func announce(_ status: ValidationStatus) {
        self.metrics.dnsResolverValidating.set(status == .validating)
        switch status {
        case .validating:
            self.health.set(.resolver, .passing)
            self.logger.notice("resolver validates", metadata: ["resolver": "\(self.resolver.startupDescription)"])
        case .notValidating(let reason), .unreachable(let reason):
            self.health.set(.resolver, .failing("\(status)"))
            self.logger.error(
                "resolver does not validate; mail that needs DNS waits", metadata: ["reason": "\(reason)"])
        }
    }
}
