/// The texts of `relayd config defaults` and `relayd config show`.
public enum ConfigurationText {
    /// Every key with its explanation, what may stand there, and its default, as YAML that loads.
    public static func defaults(_ configuration: RelaydConfiguration) -> String {
        self.yaml(configuration) { setting in
            Self.wrapped("\(setting.summary) (\(setting.expected))").map { "# \($0)" }
        }
    }

    /// Every key with its value in force and where that came from; secrets are left out.
    public static func effective(_ loaded: LoadedConfiguration) -> String {
        self.yaml(loaded.configuration, redacted: true) { setting in
            ["# \(loaded.sources[setting.key] ?? .defaults)"]
        }
    }

    private static func yaml(
        _ configuration: RelaydConfiguration, redacted: Bool = false,
        comment: (Setting<RelaydConfiguration>) -> [String]
    ) -> String {
        var lines: [String] = []
        var group = ""
        for setting in ConfigurationSchema.settings {
            let parts = setting.key.split(separator: ".", maxSplits: 1).map(String.init)
            let indentation = parts.count == 2 ? "  " : ""
            if parts.count == 2, parts[0] != group {
                lines.append("\(parts[0]):")
            }
            group = parts.count == 2 ? parts[0] : ""
            lines += comment(setting).map { indentation + $0 }
            let value = redacted && setting.isSecret ? "\"(not shown)\"" : setting.render(configuration)
            lines.append("\(indentation)\(parts[parts.count - 1]): \(value)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Lines of at most about a hundred characters, broken between words.
    private static func wrapped(_ text: String) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].count + word.count > 100 { lines.append("") }
            lines[lines.count - 1] += lines[lines.count - 1].isEmpty ? "\(word)" : " \(word)"
        }
        return lines
    }
}
