public import Logging
import Synchronization

/// What a test's code logs: level, message, and metadata as text.
public final class RecordedLog: Sendable {
    public struct Line: Hashable, Sendable {
        public let level: Logger.Level
        public let message: String
        public let metadata: [String: String]
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
            self.log.all.withLock {
                $0.append(Line(level: event.level, message: "\(event.message)", metadata: metadata))
            }
        }
    }

    private let all = Mutex<[Line]>([])

    public init() {}

    /// So far, in order.
    public var lines: [Line] { self.all.withLock { $0 } }

    /// Writes here.
    public var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }
}
