/// How many lines are logged, and how many are lost.
public struct LogMetrics: Sendable {
    /// Lines by level.
    public let messages: Counter<LogLevelLabel>
    /// Lines that were dropped.
    public let dropped: Counter<NoLabels>

    /// Declares them.
    public init(in registry: MetricsRegistry) {
        self.messages = registry.counter("log_messages_total", "Log lines, by level.")
        self.dropped = registry.counter("log_dropped_total", "Log lines dropped, since the log was not read.")
    }
}

/// Levels of log lines.
public enum LogLevelLabel: String, MetricLabel {
    public static let labelName = "level"
    case trace, debug, info, notice, warning, error, critical
}
