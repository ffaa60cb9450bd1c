import ClusterModel
public import DeliveryQueue

/// The metrics of `relayd` by name: the one place where they are declared. Their label values are in
/// `RelayMetricLabels.swift`. A call site reads `metrics.smtpdMessages.increment(.accepted)`.
public struct RelayMetrics: Sendable {
    // MARK: Inbound
    public let smtpdConnectionsTotal: Counter<LabelPair<ListenerLabel, InboundConnectionResult>>
    public let smtpdConnections: Gauge<ListenerLabel>
    public let smtpdTLSHandshakes: Counter<LabelPair<TLSHandshakeResult, LabelPair<TLSVersionLabel, TLSResumed>>>
    public let smtpdTLSHandshakeDuration: Histogram<NoLabels>
    public let smtpdAuthentications: Counter<AuthenticationResult>
    public let smtpdVerifications: Counter<VerificationResult>
    public let smtpdVerificationsRefused: Counter<VerificationLimitLabel>
    public let smtpdMessages: Counter<InboundMessageResult>
    public let smtpdRejects: Counter<RejectReason>
    public let smtpdRejectsUnlogged: Counter<NoLabels>
    public let smtpdMessageSize: Histogram<NoLabels>
    public let smtpdReceivedBytes: Counter<NoLabels>
    public let smtpdStagedBytes: Gauge<StagedBytesShare>
    public let smtpdStagedBytesLimit: Gauge<StagedBytesShare>

    // MARK: Outbound
    public let smtpConnectionsTotal: Counter<OutboundConnectionResult>
    public let smtpConnections: Gauge<NoLabels>
    public let smtpNarrowings: Counter<NoLabels>
    public let deliveriesAwaiting: Gauge<DeliveryLimitLabel>
    public let smtpTLSHandshakes: Counter<LabelPair<PeerTrust, TLSVersionLabel>>
    public let smtpTLSAbandoned: Counter<TLSAbandonReason>
    public let deliveries: Counter<DeliveryResult>
    public let deliveryLatency: Histogram<NoLabels>
    public let deliveryFailures: Counter<DeliveryFailureCode>
    public let dsnSent: Counter<DSNType>
    public let dsnDropped: Counter<ReportBudget.Refusal>

    // MARK: DANE
    public let daneDecisions: Counter<DANEDecision>
    public let daneVerifications: Counter<LabelPair<TLSAUsageLabel, DANEVerificationResult>>
    public let tlsaRecords:
        Counter<LabelPair<LabelPair<TLSAUsageLabel, TLSASelectorLabel>, LabelPair<TLSAMatchingTypeLabel, TLSAUsable>>>

    // MARK: DNS
    public let dnsQueries: Counter<LabelPair<DNSTypeLabel, LabelPair<DNSSecurityLabel, DNSResponseLabel>>>
    public let dnsCacheRequests: Counter<LabelPair<DNSCacheLevel, DNSCacheResult>>
    public let dnsCacheEntries: Gauge<NoLabels>
    public let dnsLookupsUnderWay: Gauge<NoLabels>
    public let dnsLookupsRefused: Counter<DNSLookupLimitLabel>
    public let dnsResolverValidating: Gauge<NoLabels>
    public let dnsResolverDeaths: Counter<DNSResolverDeathLabel>
    public let dnsQuarantines: Counter<NoLabels>
    public let dnsUnvalidatedDomains: Gauge<NoLabels>

    // MARK: Queue and database
    public let queueMessages: Gauge<QueueStateLabel>
    public let queueBytes: Gauge<QueueStateLabel>
    public let queueOldestMessage: Gauge<QueueStateLabel>
    public let queueRules: Gauge<QueueRuleLabel>
    public let queueEnqueued: Counter<NoLabels>
    public let queueOperationDuration: Histogram<QueueOperation>
    public let queueLeaseExpirations: Counter<NoLabels>
    public let queueRetries: Counter<RetryReason>
    public let pgConnections: Gauge<DatabaseConnectionState>
    public let pgErrors: Counter<DatabaseErrorClass>
    public let pgOldestSnapshotSeconds: Gauge<NoLabels>

    // MARK: Process
    public let configLastReloadSuccessful: Gauge<NoLabels>
    public let draining: Gauge<NoLabels>
    public let certificateNotAfter: NumberedGauge
    public let logMessages: Counter<LogLevelLabel>
    public let logDropped: Counter<NoLabels>

    /// Declares every metric in `registry`, and `build_info` and `process_*` besides. `listeners` are the configured
    /// listeners' names.
    public init(in registry: MetricsRegistry, listeners: [String], version: String, revision: String) {
        let make = Declarations(registry: registry)
        let listenerLabels = listeners.map(ListenerLabel.init)
        self.smtpdConnectionsTotal = registry.counter(
            "relayd_smtpd_connections_total", "Connections that clients opened, by how they were received.",
            labels: LabelPair.product(listenerLabels, InboundConnectionResult.allCases))
        self.smtpdConnections = registry.gauge(
            "relayd_smtpd_connections", "Client connections open now.", labels: listenerLabels)
        self.smtpdTLSHandshakes = make.counter("smtpd_tls_handshakes_total", "TLS handshakes with clients.")
        self.smtpdTLSHandshakeDuration = make.seconds(
            "smtpd_tls_handshake_duration_seconds", "Time from the reply to STARTTLS to the end of the handshake.")
        self.smtpdAuthentications = make.counter(
            "smtpd_authentications_total", "Credentials judged, by what came of it.")
        self.smtpdVerifications = make.counter(
            "smtpd_recipient_verifications_total", "Recipients verified by asking the next hop, or its cached answer.")
        self.smtpdVerificationsRefused = make.counter(
            "smtpd_recipient_verifications_refused_total",
            "Questions about recipients that were not asked, since too many were under way.")
        self.smtpdMessages = make.counter("smtpd_messages_total", "Messages that clients sent to their end.")
        self.smtpdRejects = make.counter("smtpd_rejects_total", "Commands and messages refused, by reason.")
        self.smtpdRejectsUnlogged = make.counter(
            "smtpd_rejects_unlogged_total", "Refusals without a log line of their own, since there were many.")
        self.smtpdMessageSize = make.histogram(
            "smtpd_message_size_bytes", "Sizes of accepted messages.", .messageSize)
        self.smtpdReceivedBytes = make.counter("smtpd_received_bytes_total", "Bytes of message data received.")
        self.smtpdStagedBytes = make.gauge(
            "smtpd_staged_bytes", "Bytes of bodies on their way in, in all copies, and of those removed lately.")
        self.smtpdStagedBytesLimit = make.gauge(
            "smtpd_staged_bytes_limit", "Bytes of bodies that may be on their way in, in all copies; 0 is any number.")

        self.smtpConnectionsTotal = make.counter("smtp_connections_total", "Connections opened to receiving hosts.")
        self.smtpConnections = make.gauge("smtp_connections", "Connections to receiving hosts open now.")
        self.smtpNarrowings = make.counter(
            "smtp_narrowings_total", "Connections turned away by a host that others were open to: it gets fewer.")
        self.deliveriesAwaiting = make.gauge(
            "deliveries_awaiting",
            "Deliveries that wait for a connection, by the limit that is reached; for destinations 1 while some wait.")
        self.smtpTLSHandshakes = make.counter(
            "smtp_tls_handshakes_total", "TLS handshakes with receiving hosts, by what they proved.")
        self.smtpTLSAbandoned = make.counter(
            "smtp_tls_abandoned_total", "Connections in clear to hosts that offer TLS and failed at it, by reason.")
        self.deliveries = make.counter("deliveries_total", "Recipients by the outcome of a delivery attempt.")
        self.deliveryLatency = make.histogram(
            "delivery_latency_seconds", "Time from a message's arrival to its delivery.", .messageLifetime)
        self.deliveryFailures = make.counter(
            "delivery_failures_total", "Failed delivery attempts by enhanced status code, its class made transient.")
        self.dsnSent = make.counter("dsn_sent_total", "Delivery status notifications queued.")
        self.dsnDropped = make.counter(
            "dsn_dropped_total", "Delivery status notifications not made, by the limit that was reached.")

        self.daneDecisions = make.counter("dane_decisions_total", "What DANE obliged the node to do, per MX host.")
        self.daneVerifications = make.counter(
            "dane_verifications_total", "Handshakes verified against TLSA records, by the usage that decided.")
        self.tlsaRecords = make.counter("tlsa_records_total", "TLSA records seen, by their parameters.")

        self.dnsQueries = make.counter("dns_queries_total", "Answers of the validating resolver.")
        self.dnsCacheRequests = make.counter("dns_cache_requests_total", "Look-ups in the validated cache.")
        self.dnsCacheEntries = make.gauge("dns_cache_entries", "Answers in the in-memory cache.")
        self.dnsLookupsUnderWay = make.gauge("dns_lookups_under_way", "Look-ups that the resolver has begun.")
        self.dnsLookupsRefused = make.counter(
            "dns_lookups_refused_total", "Look-ups that did not begin, since too many were under way, by the limit.")
        self.dnsResolverDeaths = make.counter(
            "dns_resolver_deaths_total", "Processes of the resolver that ended, or were ended and replaced, by why.")
        self.dnsQuarantines = make.counter(
            "dns_quarantines_total", "Questions that ended a resolver twice, and are not asked for a while.")
        self.dnsUnvalidatedDomains = make.gauge(
            "dns_unvalidated_domains", "Domains that resolver.unvalidated-domains keeps from being validated now.")
        self.dnsResolverValidating = make.gauge(
            "dns_resolver_validating", "1 while the resolver's self-test shows that it validates DNSSEC, else 0.")

        self.queueMessages = make.gauge("queue_messages", "Queue entries by state.")
        self.queueBytes = make.gauge("queue_bytes", "Bytes of message data in the queue by state.")
        self.queueOldestMessage = make.gauge(
            "queue_oldest_message_timestamp_seconds",
            "When the oldest message of each state arrived; 0 if there is none.")
        self.queueRules = make.gauge("queue_rules", "Standing rules of operators in force, as this node knows them.")
        self.queueEnqueued = make.counter("queue_enqueued_total", "Queue entries committed.")
        self.queueOperationDuration = make.seconds("queue_operation_duration_seconds", "Duration of queue operations.")
        self.queueLeaseExpirations = make.counter("queue_lease_expirations_total", "Shard leases lost by expiry.")
        self.queueRetries = make.counter("queue_retries_total", "Entries put back for another attempt, by reason.")
        self.pgConnections = make.gauge("pg_connections", "Database connections by state.")
        self.pgErrors = make.counter("pg_errors_total", "Database errors by class.")
        self.pgOldestSnapshotSeconds = make.gauge(
            "pg_oldest_snapshot_seconds", "Age of what keeps removed rows from being cleared away; 0 if nothing does.")

        self.configLastReloadSuccessful = make.gauge(
            "config_last_reload_successful", "1 while the configuration that was loaded last is in force, else 0.")
        self.configLastReloadSuccessful.set(true)
        self.draining = make.gauge("draining", "1 from the signal to stop until the end of the process, else 0.")
        self.certificateNotAfter = registry.numberedGauge(
            "relayd_certificate_not_after_timestamp_seconds",
            "When the certificate ends, in seconds since 1970 UTC; slot is its place in tls.certificates, from 0.",
            label: "slot")
        self.logMessages = make.counter("log_messages_total", "Log lines, by level.")
        self.logDropped = make.counter("log_dropped_total", "Log lines dropped, since the log was not read.")
        registry.observed(
            "relayd_build_info", .gauge, "Always 1; the labels say what is running.",
            labels: [("version", version), ("revision", revision)]
        ) { 1 }
        ProcessMetrics.register(in: registry)
    }
}

/// Adds the prefix, and takes the label values from the type of the property that is being set.
private struct Declarations {
    let registry: MetricsRegistry

    func counter<Labels: MetricLabels & CaseIterable>(_ name: String, _ help: String) -> Counter<Labels> {
        self.registry.counter("relayd_\(name)", help, labels: Labels.allCases)
    }

    func gauge<Labels: MetricLabels & CaseIterable>(_ name: String, _ help: String) -> Gauge<Labels> {
        self.registry.gauge("relayd_\(name)", help, labels: Labels.allCases)
    }

    func seconds<Labels: MetricLabels & CaseIterable>(_ name: String, _ help: String) -> Histogram<Labels> {
        self.histogram(name, help, .operations)
    }

    func histogram<Labels: MetricLabels & CaseIterable>(
        _ name: String, _ help: String, _ buckets: HistogramBuckets
    ) -> Histogram<Labels> {
        self.registry.histogram("relayd_\(name)", help, labels: Labels.allCases, buckets: buckets)
    }
}
