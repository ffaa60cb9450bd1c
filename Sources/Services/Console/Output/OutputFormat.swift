/// How data is written to standard output.
public enum OutputFormat: String, Hashable, Sendable, CaseIterable {
    /// For people; it may change from version to version.
    case table
    /// One document.
    case json
    /// One object on each line.
    case jsonl
    case yaml
}
