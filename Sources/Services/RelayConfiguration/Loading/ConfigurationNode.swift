import Yams

/// A YAML value whose every part knows where it stands.
struct ConfigurationNode {
    struct Entry {
        let key: String
        let source: ConfigurationProblem.Source
        let value: ConfigurationNode
    }

    enum Content {
        /// Text as written; whether it is a number is for the setting to say.
        case scalar(String)
        /// `null`, `~` or nothing behind the colon.
        case null
        case list([ConfigurationNode])
        case mapping([Entry])
    }

    let content: Content
    let source: ConfigurationProblem.Source

    var scalar: String? {
        if case .scalar(let text) = self.content { text } else { nil }
    }

    /// The kind of content, for messages.
    var kind: String {
        switch self.content {
        case .scalar(let text): "\"\(text.count > 60 ? text.prefix(60) + "…" : text)\""
        case .null: "nothing"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}

extension ConfigurationNode {
    /// Reads YAML; `place` turns a line number, from 1, into a source. `nil` is an empty document.
    static func parse(
        _ yaml: String, place: (Int) -> ConfigurationProblem.Source
    ) throws(ConfigurationProblem) -> ConfigurationNode? {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw Self.problem(error, in: yaml, place)
        }
        guard let root else { return nil }
        return try Self.convert(root, place)
    }

    private static func convert(
        _ node: Node, _ place: (Int) -> ConfigurationProblem.Source
    ) throws(ConfigurationProblem) -> ConfigurationNode {
        let source = place(node.mark?.line ?? 1)
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
            return ConfigurationNode(content: isNull ? .null : .scalar(scalar.string), source: source)
        case .sequence(let sequence):
            var elements: [ConfigurationNode] = []
            for element in sequence { elements.append(try Self.convert(element, place)) }
            return ConfigurationNode(content: .list(elements), source: source)
        case .mapping(let mapping):
            var entries: [Entry] = []
            for (key, value) in mapping {
                let keySource = place(key.mark?.line ?? 1)
                guard let name = key.scalar?.string else {
                    throw ConfigurationProblem(keySource, "", "a key must be plain text")
                }
                if entries.contains(where: { $0.key == name }) {
                    throw ConfigurationProblem(keySource, name, "the key is there twice")
                }
                entries.append(Entry(key: name, source: keySource, value: try Self.convert(value, place)))
            }
            return ConfigurationNode(content: .mapping(entries), source: source)
        case .alias:
            throw ConfigurationProblem(source, "", "aliases are not supported")
        }
    }

    private static func problem(
        _ error: any Error, in yaml: String, _ place: (Int) -> ConfigurationProblem.Source
    ) -> ConfigurationProblem {
        guard let error = error as? YamlError else { return ConfigurationProblem(place(1), "", "\(error)") }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return ConfigurationProblem(place(mark.line), "", "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let key = duplicates.first ?? ""
            // The mark is that of the mapping; the second line below it that begins with the key is the culprit.
            let lines = yaml.split(separator: "\n", omittingEmptySubsequences: false).enumerated().filter {
                $0.offset + 1 >= context.mark.line
                    && $0.element.drop(while: { " -{".contains($0) }).hasPrefix("\(key):")
            }
            let line = lines.dropFirst().first.map { $0.offset + 1 } ?? context.mark.line
            return ConfigurationProblem(place(line), key, "the key is there twice")
        default:
            return ConfigurationProblem(place(1), "", "not YAML: \(error)")
        }
    }
}
