import MailModel

/// A value of the output, with its keys in the order in which they are shown.
public enum OutputValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Int)
    case text(String)
    case list([OutputValue])
    case record([Field])

    /// A key with its value.
    public struct Field: Hashable, Sendable {
        let key: String
        let value: OutputValue

        init(_ key: String, _ value: OutputValue) {
            self.key = key
            self.value = value
        }
    }

    /// Text, or null.
    static func optional(_ text: String?) -> OutputValue { text.map { .text($0) } ?? .null }

    /// A record that says of itself by which version of this interface it was written.
    static func document(_ fields: [Field]) -> OutputValue {
        .record([Field("schema", .text("relayctl/v1"))] + fields)
    }

    // MARK: - JSON

    /// On one line (RFC 8259). Control characters never reach a terminal as such.
    public var json: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let value): "\(value)"
        case .text(let text): JSONText.quoted(text)
        case .list(let values): "[\(values.map(\.json).joined(separator: ","))]"
        case .record(let fields):
            "{\(fields.map { "\(JSONText.quoted($0.key)):\($0.value.json)" }.joined(separator: ","))}"
        }
    }

    // MARK: - YAML

    /// In YAML's block style, with every text in double quotes, as JSON has it: so none is taken for something else.
    public var yaml: String { self.yamlLines.joined(separator: "\n") }

    /// The lines of an element of a list.
    var yamlItem: String {
        self.yamlLines.enumerated().map { ($0 == 0 ? "- " : "  ") + $1 }.joined(separator: "\n")
    }

    private var yamlLines: [String] {
        switch self {
        case .list(let values) where !values.isEmpty: values.map(\.yamlItem)
        case .record(let fields) where !fields.isEmpty: fields.flatMap(\.yamlLines)
        default: [self.json]
        }
    }
}

extension OutputValue.Field {
    fileprivate var yamlLines: [String] {
        let isNested =
            switch self.value {
            case .list(let values): !values.isEmpty
            case .record(let fields): !fields.isEmpty
            default: false
            }
        guard isNested else { return ["\(self.key): \(self.value.json)"] }
        return ["\(self.key):"] + self.value.yaml.split(separator: "\n").map { "  \($0)" }
    }
}
