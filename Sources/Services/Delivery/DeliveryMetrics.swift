package import DeliveryQueue
package import QueueStore
package import ServiceSupport
package import Telemetry

/// What is counted of deliveries, of the hosts that receive them, and of the queue.
package struct DeliveryMetrics: Sendable {
    package let smtpConnectionsTotal: Counter<OutboundConnectionResult>
    package let smtpConnections: Gauge<NoLabels>
    package let smtpNarrowings: Counter<NoLabels>
    package let deliveriesAwaiting: Gauge<DeliveryLimitLabel>
    package let smtpTLSHandshakes: Counter<LabelPair<PeerTrust, TLSVersionLabel>>
    package let smtpTLSAbandoned: Counter<TLSAbandonReason>
    package let deliveries: Counter<DeliveryResult>
    package let deliveryLatency: Histogram<NoLabels>
    package let deliveryFailures: Counter<DeliveryFailureCode>
    package let dsnSent: Counter<DSNType>
    package let dsnDropped: Counter<ReportBudget.Refusal>
    package let daneDecisions: Counter<DANEDecision>
    package let daneVerifications: Counter<LabelPair<TLSAUsageLabel, DANEVerificationResult>>
    package let tlsaRecords:
        Counter<LabelPair<LabelPair<TLSAUsageLabel, TLSASelectorLabel>, LabelPair<TLSAMatchingTypeLabel, TLSAUsable>>>
    package let smtpdVerifications: Counter<VerificationResult>
    package let smtpdVerificationsRefused: Counter<VerificationLimitLabel>
    package let queueMessages: Gauge<QueueListing.State>
    package let queueBytes: Gauge<QueueListing.State>
    package let queueOldestMessage: Gauge<QueueListing.State>
    package let queueRules: Gauge<QueueRule.Action>
    package let queueRetries: Counter<RetryReason>
    package let queueOperationDuration: Histogram<QueueOperation>
    package let queueCommitWait: Histogram<QueueCommit>

    /// Declares them.
    package init(
        in registry: MetricsRegistry, queueOperationDuration: Histogram<QueueOperation>,
        queueCommitWait: Histogram<QueueCommit>
    ) {
        self.smtpConnectionsTotal = registry.counter("smtp_connections_total", "Connections opened to receiving hosts.")
        self.smtpConnections = registry.gauge("smtp_connections", "Connections to receiving hosts open now.")
        self.smtpNarrowings = registry.counter(
            "smtp_narrowings_total", "Connections that a host refused while others to it were open.")
        self.deliveriesAwaiting = registry.gauge(
            "deliveries_awaiting",
            "Deliveries that wait for a connection, by the limit that is reached; for destinations 1 while some wait.")
        self.smtpTLSHandshakes = registry.counter(
            "smtp_tls_handshakes_total", "TLS handshakes with receiving hosts, by what they proved.")
        self.smtpTLSAbandoned = registry.counter(
            "smtp_tls_abandoned_total", "Connections in clear to hosts that offer TLS and failed at it, by reason.")
        self.deliveries = registry.counter("deliveries_total", "Recipients by the outcome of a delivery attempt.")
        self.deliveryLatency = registry.histogram(
            "delivery_latency_seconds", "Time from a message's arrival to its delivery.", .messageLifetime)
        self.deliveryFailures = registry.counter(
            "delivery_failures_total", "Failed delivery attempts by enhanced status code, its class made transient.")
        self.dsnSent = registry.counter("dsn_sent_total", "Delivery status notifications queued.")
        self.dsnDropped = registry.counter(
            "dsn_dropped_total", "Delivery status notifications not made, by the limit that was reached.")
        self.daneDecisions = registry.counter("dane_decisions_total", "What DANE obliged the node to do, per MX host.")
        self.daneVerifications = registry.counter(
            "dane_verifications_total", "Handshakes verified against TLSA records, by the usage that decided.")
        self.tlsaRecords = registry.counter("tlsa_records_total", "TLSA records seen, by their parameters.")
        self.smtpdVerifications = registry.counter(
            "smtpd_recipient_verifications_total", "Recipients verified by asking the next hop, or its cached answer.")
        self.smtpdVerificationsRefused = registry.counter(
            "smtpd_recipient_verifications_refused_total",
            "Questions about recipients that were not asked, since too many were under way.")
        self.queueMessages = registry.gauge("queue_messages", "Queue entries by state.")
        self.queueBytes = registry.gauge("queue_bytes", "Bytes of message data in the queue by state.")
        self.queueOldestMessage = registry.gauge(
            "queue_oldest_message_timestamp_seconds",
            "When the oldest message of each state arrived; 0 if there is none.")
        self.queueRules = registry.gauge(
            "queue_rules", "Standing rules of operators in force, as this node knows them.")
        self.queueRetries = registry.counter("queue_retries_total", "Entries put back for another attempt, by reason.")
        self.queueOperationDuration = queueOperationDuration
        self.queueCommitWait = queueCommitWait
    }
}
