import MailModel

/// The texts of `config defaults` and `config show`.
public enum ConfigurationText {
    /// One key, in words.
    public struct Key: Hashable, Sendable {
        public let name: String
        public let summary: String
        /// What may stand there, such as `whole number, 1 to 4096`.
        public let expected: String
        public let defaultValue: String
        /// Its name in the environment.
        public let variable: String
    }

    /// Every key, in the order of `config defaults`; the same on each machine.
    public static func keys<Settings: ProgramSettings>(of program: Settings.Type) -> [Key] {
        let hosts = ["localhost", "mx1.example.org"].compactMap { DomainName($0) }.map { Settings(hostName: $0) }
        return Settings.schema.settings.map { setting in
            let values = Set(hosts.map { setting.render($0) })
            return Key(
                name: setting.key, summary: setting.summary, expected: setting.expected,
                defaultValue: values.count == 1 ? values.first ?? "" : "made from the name of the machine",
                variable: Settings.schema.variable(of: setting.key))
        }
    }

    /// Every key with its explanation, what may stand there, and its default, as YAML that loads.
    public static func defaults(_ configuration: some ProgramSettings) -> String {
        self.yaml(configuration) { setting in
            Self.wrapped("\(setting.summary) (\(setting.expected))").map { "# \($0)" }
        }
    }

    /// Every key with its value in force and where that came from; secrets are left out.
    public static func effective<Settings: ProgramSettings>(_ loaded: LoadedSettings<Settings>) -> String {
        self.yaml(loaded.configuration, redacted: true) { setting in
            let owner = Settings.schema.owner(loaded.configuration, setting.key)
            return ["# \(owner ?? "\(loaded.sources[setting.key] ?? .defaults)")"]
        }
    }

    private static func yaml<Settings: ProgramSettings>(
        _ configuration: Settings, redacted: Bool = false, comment: (Setting<Settings>) -> [String]
    ) -> String {
        var lines: [String] = []
        var group = ""
        for setting in Settings.schema.settings {
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
