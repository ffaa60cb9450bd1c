public import MailModel

/// Reads the settings from everywhere they may stand, and checks them.
///
/// Later sources override earlier ones: defaults, file, credentials, environment, flags. This is code of our own rather
/// than swift-configuration's providers. Those know neither lists of mappings nor the line of a value nor which keys
/// nobody asked for. Values in the environment and in flags are YAML too, so lists can be given there as `[a, b]`.
public struct ConfigurationLoader: Sendable {
    /// The text of one YAML file.
    public struct File: Sendable {
        public var path: String
        public var text: String
        /// Its permissions, if others than owner and group may read or change it.
        public var exposedMode: String?

        public init(path: String, text: String, exposedMode: String? = nil) {
            self.path = path
            self.text = text
            self.exposedMode = exposedMode
        }
    }

    /// The file, if there is one.
    public var file: File?
    /// Secrets by key, with the path of each; `credentials(in:)` reads them.
    public var credentials: [String: File] = [:]
    /// The environment; only names that begin with `RELAYD_` count.
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
    public func load() throws(ConfigurationError) -> LoadedConfiguration {
        var loading = Loading(
            configuration: RelaydConfiguration(hostName: self.hostName),
            dialect: self.dialect)
        if let file {
            loading.file = file.path
            loading.read(file)
        }
        for (key, file) in self.credentials.sorted(by: { $0.key < $1.key }) { loading.read(credential: key, file) }
        for (name, value) in self.environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("RELAYD_") {
            loading.read(environment: name, value)
        }
        for flag in self.flags { loading.read(flag: flag) }
        return try loading.finished()
    }
}

/// The settings in force, and where each came from.
public struct LoadedConfiguration: Sendable {
    public let configuration: RelaydConfiguration
    /// By key; keys that are not here have their default.
    public let sources: [String: ConfigurationProblem.Source]
    /// The path of the configuration file; `nil` if there is none.
    public let file: String?
    /// The path of a file in which nothing is set.
    var fileWithoutSettings: String?

    /// A problem with the value of this key, placed where the value came from.
    package func problem(with key: String, element: String = "", _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(self.sources[key] ?? .defaults, key + element, message)
    }
}

/// One load in progress.
private struct Loading {
    var configuration: RelaydConfiguration
    let dialect: ConfigurationDialect
    var sources: [String: ConfigurationProblem.Source] = [:]
    var problems: [ConfigurationProblem] = []
    var file: String?
    var fileWithoutSettings: String?

    private static let settings = ConfigurationSchema.settings
    private static let keys = settings.map(\.key)

    mutating func read(_ file: ConfigurationLoader.File) {
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
    private func exposedSecret(in file: ConfigurationLoader.File) -> ConfigurationProblem? {
        let key = "database.connection"
        guard let mode = file.exposedMode, let source = self.sources[key],
            self.dialect.holdsPassword(self.configuration.database.connection)
        else { return nil }
        return ConfigurationProblem(
            source, key,
            """
            holds a password, and others can read or change this file (mode \(mode)); use mode 0600 or 0640, or put the \
            connection string into the credential \(key) or the environment
            """)
    }

    /// A credential's file is the value as it is, without the final line feed that editors add.
    mutating func read(credential key: String, _ file: ConfigurationLoader.File) {
        guard let setting = Self.settings.first(where: { $0.key == key && $0.isSecret }) else { return }
        let text = file.text.hasSuffix("\n") ? String(file.text.dropLast()) : file.text
        self.apply(setting, ConfigurationNode(content: .scalar(text), source: .credential(file.path)))
    }

    mutating func read(environment name: String, _ value: String) {
        // That is for another command, and may stand in the same file of an environment.
        guard name != ConfigurationLoader.administratorVariable else { return }
        let names = Self.settings.map(\.environmentName)
        guard let setting = Self.settings.first(where: { $0.environmentName == name }) else {
            self.problems.append(.unknownKey(.environment(name), "", name, among: names))
            return
        }
        self.apply(setting, text: value, .environment(name))
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
    mutating func finished() throws(ConfigurationError) -> LoadedConfiguration {
        guard self.problems.isEmpty else { throw ConfigurationError(problems: self.problems) }
        self.configuration.smtp.nameListeners()
        let inconsistencies = ConfigurationSchema.inconsistencies(in: self.configuration, self.dialect).map {
            ConfigurationProblem(self.sources[$0.key] ?? .defaults, $0.key, $0.message)
        }
        guard inconsistencies.isEmpty else { throw ConfigurationError(problems: inconsistencies) }
        return LoadedConfiguration(
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
        _ setting: Setting<RelaydConfiguration>, text: String, _ source: ConfigurationProblem.Source
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
        _ setting: Setting<RelaydConfiguration>, _ node: ConfigurationNode,
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
