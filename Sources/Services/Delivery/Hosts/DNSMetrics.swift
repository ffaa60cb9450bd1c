package import DNSModel
package import SecureResolver
package import Telemetry

/// What is counted of our own resolver.
package struct DNSMetrics: Sendable {
    package let dnsQueries: Counter<LabelPair<DNSQuestion.RecordType, LabelPair<DNSSecurityLabel, DNSResponseLabel>>>
    package let dnsCacheRequests: Counter<LabelPair<DNSCacheLevel, DNSCacheResult>>
    package let dnsCacheEntries: Gauge<NoLabels>
    package let dnsLookupsUnderWay: Gauge<NoLabels>
    package let dnsLookupsRefused: Counter<LookupLimit>
    package let dnsResolverValidating: Gauge<NoLabels>
    package let dnsResolverDeaths: Counter<ResolverCounters.Death>
    package let dnsQuarantines: Counter<NoLabels>
    package let dnsUnvalidatedDomains: Gauge<NoLabels>

    /// Declares them.
    package init(in registry: MetricsRegistry) {
        self.dnsQueries = registry.counter("dns_queries_total", "Answers of the validating resolver.")
        self.dnsCacheRequests = registry.counter("dns_cache_requests_total", "Look-ups in the validated cache.")
        self.dnsCacheEntries = registry.gauge("dns_cache_entries", "Answers in the in-memory cache.")
        self.dnsLookupsUnderWay = registry.gauge("dns_lookups_under_way", "Look-ups that the resolver has begun.")
        self.dnsLookupsRefused = registry.counter(
            "dns_lookups_refused_total", "Look-ups that did not begin, since too many were under way, by the limit.")
        self.dnsResolverValidating = registry.gauge(
            "dns_resolver_validating", "1 while the resolver's self-test shows that it validates DNSSEC, else 0.")
        self.dnsResolverDeaths = registry.counter(
            "dns_resolver_deaths_total", "Processes of the resolver that ended, or were ended and replaced, by why.")
        self.dnsQuarantines = registry.counter(
            "dns_quarantines_total", "Questions that ended a resolver twice, and are not asked for a while.")
        self.dnsUnvalidatedDomains = registry.gauge(
            "dns_unvalidated_domains", "Domains that resolver.unvalidated-domains keeps from being validated now.")
    }
}
