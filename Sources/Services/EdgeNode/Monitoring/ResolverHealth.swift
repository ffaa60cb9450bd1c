import Logging
import SecureResolver
import Telemetry

/// Whether our own resolver works: examined now and then, and whenever a look-up fails for which it may be to blame.
///
/// One examination goes on at a time, and all who ask meanwhile wait for it.
actor ResolverHealth {
    /// An examination that began so long ago at most answers for a look-up that failed now.
    private static let recent = Duration.seconds(1)

    private let resolver: SecureResolver
    private let health: HealthRegistry
    private let metrics: RelayMetrics
    private let logger: Logger
    private var last: (status: ValidationStatus, at: ContinuousClock.Instant)?
    private var isExamining = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(resolver: SecureResolver, health: HealthRegistry, metrics: RelayMetrics, logger: Logger) {
        self.resolver = resolver
        self.health = health
        self.metrics = metrics
        self.logger = logger
    }

    /// A look-up failed: whether it did so since our resolver does not work.
    func isAtFault() async -> Bool {
        await self.examine(ifOlderThan: Self.recent)
        return self.last?.status != .validating
    }

    /// Examines it, unless that was done lately and found nothing wrong.
    func examine(ifOlderThan age: Duration) async {
        if let last, last.status == .validating, ContinuousClock.now - last.at < age { return }
        guard !self.isExamining else { return await withCheckedContinuation { self.waiting.append($0) } }
        self.isExamining = true
        let began = ContinuousClock.now
        let status = await self.resolver.selfTest()
        self.isExamining = false
        if status != self.last?.status { self.announce(status) }
        self.last = (status, began)
        for waiter in exchange(&self.waiting, with: []) { waiter.resume() }
    }

    private func announce(_ status: ValidationStatus) {
        self.metrics.dnsResolverValidating.set(status == .validating)
        switch status {
        case .validating:
            self.health.set(.resolver, .passing)
            self.logger.notice("resolver validates", metadata: ["resolver": "\(self.resolver.startupDescription)"])
        case .notValidating(let reason), .unreachable(let reason):
            self.health.set(.resolver, .failing("\(status)"))
            self.logger.error("resolver does not validate; mail waits", metadata: ["reason": "\(reason)"])
        }
    }
}
