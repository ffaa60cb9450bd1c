public import MailModel

/// Reads the settings from everywhere they may stand, and checks them.
///
/// Later sources override earlier ones: defaults, file, credentials, environment, flags. This is code of our own rather
/// than swift-configuration's providers. Those know neither lists of mappings nor the line of a value nor which keys
/// nobody asked for. Values in the environment and in flags are YAML too, so lists can be given there as `[a, b]`.
public struct SettingsLoader<Settings: ProgramSettings>: Sendable {
    public typealias File = SettingsFile

    /// The file, if there is one.
    public var file: File?
    /// Secrets by key, with the path of each; `credentials(in:)` reads them.
    public var credentials: [String: File] = [:]
    /// The environment; only names with the program's prefix count.
    public var environment: [String: String] = [:]
    /// `key=value` texts, in order.
    public var flags: [String] = []
    /// The name of this machine, for defaults.
    public var hostName: DomainName
    /// How the values are read that only libraries understand.
    public var dialect: ConfigurationDialect

    /// A loader without sources, which gives the defaults.
    public init(hostName: DomainName, dialect: ConfigurationDialect = ConfigurationDialect()) {
        self.hostName = hostName
        self.dialect = dialect
    }

    /// Reads and checks everything, and reports all that is wrong at once.
    public func load() throws(ConfigurationError) -> LoadedSettings<Settings> {
        var loading = Loading(configuration: Settings(hostName: self.hostName), dialect: self.dialect)
        if let file {
            loading.file = file.path
            loading.read(file)
        }
        for (key, file) in self.credentials.sorted(by: { $0.key < $1.key }) { loading.read(credential: key, file) }
        for (name, value) in self.environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(Settings.schema.environmentPrefix) {
            loading.read(environment: name, value)
        }
        for flag in self.flags { loading.read(flag: flag) }
        return try loading.finished()
    }
}

/// One load in progress.
private struct Loading<Settings: ProgramSettings> {
    var configuration: Settings
    let dialect: ConfigurationDialect
    var sources: [String: ConfigurationProblem.Source] = [:]
    var problems: [ConfigurationProblem] = []
    var file: String?
    var fileWithoutSettings: String?

    private static var schema: ProgramSchema<Settings> { Settings.schema }
    private static var settings: [Setting<Settings>] { Self.schema.settings }
    private static var keys: [String] { Self.settings.map(\.key) }

    mutating func read(_ file: SettingsFile) {
        let faults = self.problems.count
        defer {
            if self.sources.isEmpty, self.problems.count == faults { self.fileWithoutSettings = file.path }
        }
        guard let root = self.parse(file.text, { .file(file.path, line: $0) }) else { return }
        switch root.content {
        case .mapping(let entries):
            self.walk(entries, below: "")
            if let problem = self.exposedSecret(in: file) { self.problems.append(problem) }
        case .null: ()
        case .scalar, .list:
            self.problems.append(ConfigurationProblem(root.source, "", "expected a mapping, found \(root.kind)"))
        }
    }

    /// A file that others can read must not hold a password, as no file of keys may.
    private func exposedSecret(in file: SettingsFile) -> ConfigurationProblem? {
        guard let mode = file.exposedMode else { return nil }
        let held = Self.schema.secrets.lazy.filter { $0.isHeld(self.configuration, self.dialect) }
        for secret in held {
            guard let source = self.sources[secret.key] else { continue }
            return ConfigurationProblem(
                source, secret.key,
                """
                holds \(secret.content), and others can read or change this file (mode \(mode)); use mode 0600 or 0640, or put \
                \(secret.value) into the credential \(secret.key) or the environment
                """)
        }
        return nil
    }

    /// A credential's file is the value as it is, without the final line feed that editors add.
    mutating func read(credential key: String, _ file: SettingsFile) {
        guard let setting = Self.settings.first(where: { $0.key == key && $0.isSecret }) else { return }
        let text = file.text.hasSuffix("\n") ? String(file.text.dropLast()) : file.text
        self.apply(setting, ConfigurationNode(content: .scalar(text), source: .credential(file.path)))
    }

    mutating func read(environment name: String, _ value: String) {
        guard name != Self.schema.administratorVariable else { return }
        let names = Self.keys.map(Self.schema.variable)
        guard let index = names.firstIndex(of: name) else {
            self.problems.append(.unknownKey(.environment(name), "", name, among: names))
            return
        }
        self.apply(Self.settings[index], text: value, .environment(name))
    }

    mutating func read(flag: String) {
        guard let equals = flag.firstIndex(of: "=") else {
            self.problems.append(ConfigurationProblem(.flag(flag), "", "expected key=value"))
            return
        }
        let key = String(flag[..<equals])
        guard let setting = Self.settings.first(where: { $0.key == key }) else {
            self.problems.append(.unknownKey(.flag("--set"), key, key, among: Self.keys))
            return
        }
        self.apply(setting, text: String(flag[flag.index(after: equals)...]), .flag("--set"))
    }

    /// The configuration, or everything that is wrong with it.
    mutating func finished() throws(ConfigurationError) -> LoadedSettings<Settings> {
        guard self.problems.isEmpty else { throw ConfigurationError(problems: self.problems) }
        Self.schema.complete(&self.configuration)
        let misplaced = Self.schema.misplaced(self.configuration, Set(self.sources.keys))
        let inconsistencies = (misplaced + Self.schema.inconsistencies(self.configuration, self.dialect)).map {
            ConfigurationProblem(self.sources[$0.key] ?? .defaults, $0.key, $0.message)
        }
        guard inconsistencies.isEmpty else { throw ConfigurationError(problems: inconsistencies) }
        return LoadedSettings(
            configuration: self.configuration, sources: self.sources, file: self.file,
            fileWithoutSettings: self.fileWithoutSettings)
    }

    private mutating func walk(_ entries: [ConfigurationNode.Entry], below prefix: String) {
        for entry in entries {
            let key = prefix + entry.key
            if let setting = Self.settings.first(where: { $0.key == key }) {
                self.apply(setting, entry.value, at: entry.source)
            } else if Self.keys.contains(where: { $0.hasPrefix("\(key).") }) {
                switch entry.value.content {
                case .mapping(let children): self.walk(children, below: "\(key).")
                // A group whose keys are all commented out is no mistake.
                case .null: ()
                case .scalar, .list:
                    self.problems.append(
                        ConfigurationProblem(entry.source, key, "expected a mapping, found \(entry.value.kind)"))
                }
            } else {
                let groups = Self.keys.compactMap { $0.split(separator: ".").first.map(String.init) }
                let candidates = prefix.isEmpty && !entry.key.contains(".") ? groups + Self.keys : Self.keys
                self.problems.append(.unknownKey(entry.source, key, key, among: candidates))
            }
        }
    }

    private mutating func apply(
        _ setting: Setting<Settings>, text: String, _ source: ConfigurationProblem.Source
    ) {
        // A secret may hold any character, so it is taken as it is.
        if setting.isSecret {
            self.apply(setting, ConfigurationNode(content: .scalar(text), source: source))
        } else if let node = self.parse(text, { _ in source }) {
            self.apply(setting, node)
        } else {
            self.apply(setting, ConfigurationNode(content: .null, source: source))
        }
    }

    private mutating func apply(
        _ setting: Setting<Settings>, _ node: ConfigurationNode,
        at source: ConfigurationProblem.Source? = nil
    ) {
        do {
            try setting.apply(node, setting.key, self.dialect, &self.configuration)
            self.sources[setting.key] = source ?? node.source
        } catch {
            // The message would quote what was found.
            self.problems.append(
                setting.isSecret
                    ? ConfigurationProblem(error.source, error.key, "expected \(setting.expected)") : error)
        }
    }

    private mutating func parse(
        _ text: String, _ place: (Int) -> ConfigurationProblem.Source
    ) -> ConfigurationNode? {
        do {
            return try ConfigurationNode.parse(text, place: place)
        } catch {
            self.problems.append(error)
            return nil
        }
    }
}
