import MailModel

/// How one kind of value is read from YAML and written back.
struct ValueSyntax<Value: Sendable>: Sendable {
    /// Reads a node; `key` is for problems.
    let parse: @Sendable (ConfigurationNode, _ key: String, ConfigurationDialect) throws(ConfigurationProblem) -> Value
    /// Writes the value as YAML on one line.
    let render: @Sendable (Value) -> String
    /// Words for the reference, such as `whole number, 1 to 4096`.
    let expected: String
}

extension ValueSyntax {
    /// A value that is one scalar.
    static func text(
        _ expected: String, render: @escaping @Sendable (Value) -> String = { YAMLText.quoted("\($0)") },
        parse: @escaping @Sendable (String, ConfigurationDialect) -> Value?
    ) -> ValueSyntax {
        ValueSyntax(
            parse: { node, key, dialect throws(ConfigurationProblem) in
                guard let text = node.scalar, let value = parse(text, dialect) else {
                    throw ConfigurationProblem(node.source, key, "expected \(expected), found \(node.kind)")
                }
                return value
            }, render: render, expected: expected)
    }

    /// `null` or nothing for "not set".
    static func optional<Wrapped: Sendable>(_ syntax: ValueSyntax<Wrapped>) -> ValueSyntax where Value == Wrapped? {
        ValueSyntax(
            parse: { node, key, dialect throws(ConfigurationProblem) in
                if case .null = node.content { return nil }
                return try syntax.parse(node, key, dialect)
            }, render: { $0.map(syntax.render) ?? "null" }, expected: "\(syntax.expected), or null")
    }

    /// A list of values of one kind.
    static func list<Element: Sendable>(
        _ syntax: ValueSyntax<Element>, atLeast minimum: Int = 0
    ) -> ValueSyntax where Value == [Element] {
        let expected = "list of: \(syntax.expected)"
        return ValueSyntax(
            parse: { node, key, dialect throws(ConfigurationProblem) in
                guard case .list(let nodes) = node.content else {
                    throw ConfigurationProblem(node.source, key, "expected \(expected), found \(node.kind)")
                }
                guard nodes.count >= minimum else {
                    throw ConfigurationProblem(node.source, key, "expected at least \(minimum), found \(nodes.count)")
                }
                var values: [Element] = []
                for (index, node) in nodes.enumerated() {
                    values.append(try syntax.parse(node, "\(key)[\(index)]", dialect))
                }
                return values
            }, render: { "[\($0.map(syntax.render).joined(separator: ", "))]" }, expected: expected)
    }

    /// A mapping with the given settings, each at most once.
    static func object(
        _ settings: [Setting<Value>], make: @escaping @Sendable () -> Value
    ) -> ValueSyntax {
        let expected = "mapping of " + settings.map(\.key).joined(separator: ", ")
        return ValueSyntax(
            parse: { node, key, dialect throws(ConfigurationProblem) in
                guard case .mapping(let entries) = node.content else {
                    throw ConfigurationProblem(node.source, key, "expected \(expected), found \(node.kind)")
                }
                var value = make()
                for entry in entries {
                    let path = "\(key).\(entry.key)"
                    guard let setting = settings.first(where: { $0.key == entry.key }) else {
                        throw .unknownKey(entry.source, path, entry.key, among: settings.map(\.key))
                    }
                    try setting.apply(entry.value, path, dialect, &value)
                }
                for setting in settings where setting.isRequired && !entries.contains(where: { $0.key == setting.key })
                {
                    throw ConfigurationProblem(node.source, key, "\(setting.key) is missing")
                }
                return value
            },
            render: { value in "{\(settings.map { "\($0.key): \($0.render(value))" }.joined(separator: ", "))}" },
            expected: expected)
    }
}

extension ConfigurationProblem {
    /// `unknown key`, with the nearest known one; `key` stands alone or relative to a list's element.
    static func unknownKey(_ source: Source, _ path: String, _ key: String, among known: [String]) -> Self {
        let suggestion = NearestKey.suggestion(for: key, among: known).map { "; did you mean \($0)?" } ?? ""
        return ConfigurationProblem(source, path, "unknown key\(suggestion)")
    }
}

/// Writes scalars so that YAML reads them back as the same text.
enum YAMLText {
    /// Plain where that is safe, else double-quoted with JSON's escapes.
    static func quoted(_ text: String) -> String {
        let safe = text.unicodeScalars.allSatisfy {
            $0.isASCII && ($0.properties.isAlphabetic || "0123456789._/+@-".unicodeScalars.contains($0))
        }
        let reserved = ["", "~", "null", "true", "false", "yes", "no"].contains(text.lowercased())
        if safe, !reserved, !text.hasPrefix("-"), !text.hasPrefix("@") { return text }
        return JSONText.quoted(text)
    }
}
