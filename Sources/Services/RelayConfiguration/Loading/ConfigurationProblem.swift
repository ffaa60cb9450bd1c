/// One thing that is wrong in the settings, with its place.
public struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where a value came from.
    public enum Source: Hashable, Sendable, CustomStringConvertible {
        case defaults
        case file(String, line: Int)
        case credential(String)
        case environment(String)
        case flag(String)

        public var description: String {
            switch self {
            case .defaults: "default"
            case .file(let path, let line): "\(path):\(line)"
            case .credential(let path): "credential \(path)"
            case .environment(let name): "environment \(name)"
            case .flag(let text): "flag \(text)"
            }
        }
    }

    public let source: Source
    /// Dotted, with the index of a list's element, such as `smtp.listeners[0].address`; empty if no key is concerned.
    public let key: String
    public let message: String

    package init(_ source: Source, _ key: String, _ message: String) {
        self.source = source
        self.key = key
        self.message = message
    }

    /// One line: `/etc/relayd/relayd.yaml:7: queue.shard: unknown key; did you mean queue.shards?`
    public var description: String {
        self.key.isEmpty ? "\(self.source): \(self.message)" : "\(self.source): \(self.key): \(self.message)"
    }
}

/// Everything that was found wrong, at least one thing.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    public let problems: [ConfigurationProblem]

    package init(problems: [ConfigurationProblem]) { self.problems = problems }

    public var description: String { self.problems.map(\.description).joined(separator: "\n") }
}
