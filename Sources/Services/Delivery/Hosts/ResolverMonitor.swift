import DNSModel
package import Logging
package import MailModel
package import SecureResolver
import ServiceLifecycle
import ServiceSupport
import Telemetry

/// Watches whether our own resolver validates, so that a fault of ours is not blamed on the domains we look up
/// (dane-rules 38). It also publishes the resolver's counters.
package struct ResolverMonitor: Service {
    private static let interval = Duration.seconds(1)

    let resolver: SecureResolver
    let health: ResolverHealth
    let metrics: DNSMetrics
    let time: any NodeClock
    let logger: Logger

    package init(
        resolver: SecureResolver, health: ResolverHealth, metrics: DNSMetrics, time: any NodeClock, logger: Logger
    ) {
        self.resolver = resolver
        self.health = health
        self.metrics = metrics
        self.time = time
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.health.run() }
                var published = ResolverStatistics()
                var shortage = LookupShortage()
                while !Task.isCancelled {
                    published = self.publish(since: published, &shortage)
                    try? await self.time.sleep(for: Self.interval)
                }
            }
        }
        await self.resolver.shutdown()
    }

    private func publish(since before: ResolverStatistics, _ shortage: inout LookupShortage) -> ResolverStatistics {
        let now = self.resolver.statistics
        for (kind, count) in now.queries {
            self.metrics.dnsQueries[
                LabelPair(kind.type, LabelPair(DNSSecurityLabel(kind.security), DNSResponseLabel(kind)))
            ].increment(by: Int(clamping: count &- before.queries[kind, default: 0]))
        }
        self.metrics.dnsCacheRequests[LabelPair(.memory, .hit)].increment(by: Int(now.cacheHits &- before.cacheHits))
        self.metrics.dnsCacheRequests[LabelPair(.memory, .miss)].increment(
            by: Int(now.cacheMisses &- before.cacheMisses))
        self.metrics.dnsCacheRequests[LabelPair(.memory, .joined)].increment(
            by: Int(now.cacheJoins &- before.cacheJoins))
        self.metrics.dnsCacheEntries.set(now.cacheEntries)
        for (death, count) in now.processes.deaths {
            self.metrics.dnsResolverDeaths[death].increment(
                by: Int(clamping: count &- before.processes.deaths[death, default: 0]))
        }
        self.metrics.dnsQuarantines.increment(
            by: Int(clamping: now.processes.quarantines &- before.processes.quarantines))
        self.metrics.dnsUnvalidatedDomains.set(self.resolver.unvalidatedDomains.count)
        self.metrics.dnsLookupsUnderWay.set(now.queriesUnderWay)
        for (limit, count) in now.refusals {
            self.metrics.dnsLookupsRefused[limit].increment(
                by: Int(clamping: count &- before.refusals[limit, default: 0]))
        }
        if let limit = shortage.limit(toSayOf: now.refusals, at: self.time.now) {
            self.logger.warning(
                "too many look-ups are under way: mail for the domains concerned waits",
                metadata: [
                    LogKey.limit: "\(limit.rawValue)",
                    LogKey.size: .stringConvertible(self.resolver.lookups(within: limit)),
                    LogKey.setting: "none",
                ])
        }
        return now
    }
}

/// Says which limit keeps look-ups from beginning, once a minute at most.
struct LookupShortage {
    static let pause = Duration.seconds(60)

    /// What was refused when it was last said, and when that was.
    private var said: (refusals: [LookupLimit: UInt64], at: MonotonicInstant)?

    /// The limit that refused most since it was last said, of these refusals so far; `nil` where none has, or it is too soon.
    mutating func limit(toSayOf refusals: [LookupLimit: UInt64], at now: MonotonicInstant) -> LookupLimit? {
        if let said, now - said.at < Self.pause { return nil }
        let new = LookupLimit.allCases.map { ($0, refusals[$0, default: 0] &- (self.said?.refusals[$0] ?? 0)) }
        guard let most = new.max(by: { $0.1 < $1.1 }), most.1 > 0 else { return nil }
        self.said = (refusals, now)
        return most.0
    }
}
