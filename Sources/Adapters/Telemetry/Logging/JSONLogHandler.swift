import Glibc
public import Logging

/// Writes each log event as one line of JSON (RFC 8259), for `LoggingSystem.bootstrap` or `Logger(label:factory:)`.
///
/// First come `ts`, `level` and `msg`, then the metadata under its own keys, sorted. Full addresses of people are the
/// caller's to leave out: log `sender_domain` and `rcpt_domain`. Every control character is escaped, so that text of a peer
/// can neither begin a line nor speak to a terminal.
public struct JSONLogHandler: LogHandler {
    /// Where a finished line goes.
    public typealias Output = @Sendable (_ line: String) -> Void

    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let now: @Sendable () -> UnixTime
    private let output: Output
    private let counter: Counter<LogLevelLabel>?

    /// A handler that hands its lines to `writer` and counts them in `metrics`.
    public init(label: String, level: Logger.Level = .info, metrics: LogMetrics, writer: LogWriter) {
        self.init(label: label, level: level, counter: metrics.messages, now: UnixTime.now) { writer.write($0) }
    }

    /// A handler that writes to standard error, and waits for its reader: for a command, not for a node.
    public init(label: String, level: Logger.Level) {
        self.init(label: label, level: level, counter: nil, now: UnixTime.now, output: Self.standardError)
    }

    init(
        label: String, level: Logger.Level, counter: Counter<LogLevelLabel>?,
        now: @escaping @Sendable () -> UnixTime, output: @escaping Output
    ) {
        self.label = label
        self.logLevel = level
        self.counter = counter
        self.now = now
        self.output = output
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        if let label = LogLevelLabel(rawValue: event.level.rawValue) { self.counter?.increment(label) }
        var fields = self.metadataProvider?.get() ?? [:]
        fields.merge(self.metadata) { _, new in new }
        fields.merge(event.metadata ?? [:]) { _, new in new }
        if let error = event.error { fields["error"] = .string("\(error)") }
        var line = JSONLine()
        line.add("ts", self.now().rfc3339)
        line.add("level", event.level.rawValue)
        line.add("msg", event.message.description)
        line.add("logger", self.label)
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) where !JSONLine.reserved.contains(key) {
            line.add(key, value)
        }
        self.output(line.finished())
    }

    /// Writes the line in one call. So the lines of several threads do not mix, up to what the kernel takes at once
    /// from a pipe. A line that cannot be written is lost: nothing is left to report it to.
    static let standardError: Output = { line in
        var bytes = Array(line.utf8)
        bytes.append(UInt8(ascii: "\n"))
        // The pointer is valid during the call and the count is the array's own.
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// A moment of the wall clock with microseconds.
struct UnixTime: Sendable {
    let seconds: Int
    let microseconds: Int

    static let now: @Sendable () -> UnixTime = {
        var time = timespec()
        // The call writes one structure that we own, and CLOCK_REALTIME always exists.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UnixTime(seconds: time.tv_sec, microseconds: time.tv_nsec / 1000)
    }

    /// RFC 3339 in UTC, such as `2026-11-23T20:15:00.250000Z`.
    var rfc3339: String {
        var moment = self.seconds
        // The structure holds a pointer to a zone's name, which is not read; both arguments are ours during the call.
        var parts = unsafe tm()
        _ = unsafe gmtime_r(&moment, &parts)
        func digits(_ value: some BinaryInteger, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        let date = "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))"
        let clock = "\(digits(hour, 2)):\(digits(minute, 2)):\(digits(second, 2))"
        return "\(date)T\(clock).\(digits(self.microseconds, 6))Z"
    }
}
