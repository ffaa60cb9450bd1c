package import ServiceSupport
package import Telemetry

/// What is counted of clients and their mail.
package struct InboundMetrics: Sendable {
    package let smtpdConnectionsTotal: Counter<LabelPair<ListenerLabel, InboundConnectionResult>>
    package let smtpdConnections: Gauge<ListenerLabel>
    package let smtpdTLSHandshakes: Counter<LabelPair<TLSHandshakeResult, LabelPair<TLSVersionLabel, TLSResumed>>>
    package let smtpdTLSHandshakeDuration: Histogram<NoLabels>
    package let smtpdAuthentications: Counter<AuthenticationResult>
    package let smtpdMessages: Counter<InboundMessageResult>
    package let smtpdRejects: Counter<RejectReason>
    package let smtpdRejectsUnlogged: Counter<NoLabels>
    package let smtpdMessageSize: Histogram<NoLabels>
    package let smtpdReceivedBytes: Counter<NoLabels>
    package let smtpdStagedBytes: Gauge<StagedBytesShare>
    package let smtpdStagedBytesLimit: Gauge<StagedBytesShare>
    package let queueEnqueued: Counter<NoLabels>
    package let certificateNotAfter: NumberedGauge
    package let queueOperationDuration: Histogram<QueueOperation>

    /// Declares them. `listeners` are the configured listeners' names.
    package init(
        in registry: MetricsRegistry, listeners: [String], queueOperationDuration: Histogram<QueueOperation>
    ) {
        let listenerLabels = listeners.map(ListenerLabel.init)
        self.smtpdConnectionsTotal = registry.counter(
            "smtpd_connections_total", "Connections that clients opened, by how they were received.",
            labels: LabelPair.product(listenerLabels, InboundConnectionResult.allCases))
        self.smtpdConnections = registry.gauge(
            "smtpd_connections", "Client connections open now.", labels: listenerLabels)
        self.smtpdTLSHandshakes = registry.counter("smtpd_tls_handshakes_total", "TLS handshakes with clients.")
        self.smtpdTLSHandshakeDuration = registry.seconds(
            "smtpd_tls_handshake_duration_seconds", "Time from the reply to STARTTLS to the end of the handshake.")
        self.smtpdAuthentications = registry.counter(
            "smtpd_authentications_total", "Credentials judged, by what came of it.")
        self.smtpdMessages = registry.counter("smtpd_messages_total", "Messages that clients sent to their end.")
        self.smtpdRejects = registry.counter("smtpd_rejects_total", "Commands and messages refused, by reason.")
        self.smtpdRejectsUnlogged = registry.counter(
            "smtpd_rejects_unlogged_total", "Refusals without a log line of their own, since there were many.")
        self.smtpdMessageSize = registry.histogram(
            "smtpd_message_size_bytes", "Sizes of accepted messages.", .messageSize)
        self.smtpdReceivedBytes = registry.counter("smtpd_received_bytes_total", "Bytes of message data received.")
        self.smtpdStagedBytes = registry.gauge(
            "smtpd_staged_bytes", "Bytes of bodies on their way in, in all copies, and of those removed lately.")
        self.smtpdStagedBytesLimit = registry.gauge(
            "smtpd_staged_bytes_limit", "Bytes of bodies that may be on their way in, in all copies; 0 is any number.")
        self.queueEnqueued = registry.counter("queue_enqueued_total", "Queue entries committed.")
        self.certificateNotAfter = registry.numberedGauge(
            "certificate_not_after_timestamp_seconds",
            "When the certificate ends, in seconds since 1970 UTC; slot is its place in tls.certificates, from 0.",
            label: "slot")
        self.queueOperationDuration = queueOperationDuration
    }
}
