public import MailModel

/// The settings of one program, whose defaults stand beside their types.
///
/// The loader, the texts and the checks serve each program alike: what differs stands in its `ProgramSchema`.
public protocol ProgramSettings: Hashable, Sendable {
    /// The defaults on a machine of this name.
    init(hostName: DomainName)
    /// All that the loader knows of them.
    static var schema: ProgramSchema<Self> { get }
}

/// The keys of a program's settings, and where they come from.
public struct ProgramSchema<Settings>: Sendable {
    /// The program, such as `relayd`.
    public let program: String
    /// Where the file is looked for unless `--config` names another.
    public let defaultPath: String
    /// The beginning of a setting's name in the environment, such as `RELAYD_`.
    public let environmentPrefix: String
    /// The programs that read the file.
    public let readers: [String]
    /// A key that stands for all in explanations.
    public let exampleKey: String
    /// Every key, in the order of `config defaults`.
    package let settings: [Setting<Settings>]
    /// The values for which a file must be closed to others.
    let secrets: [HeldSecret<Settings>]
    /// Fills in what follows from other values, once all are read.
    let complete: @Sendable (inout Settings) -> Void
    /// What must hold between keys.
    let inconsistencies: @Sendable (Settings, ConfigurationDialect) -> [(key: String, message: String)]
    /// What is wrong with keys that are set, whatever their values.
    let misplaced: @Sendable (Settings, _ set: Set<String>) -> [(key: String, message: String)]
    /// Where the value of a key comes from, if that is none of the sources of settings.
    let owner: @Sendable (Settings, _ key: String) -> String?

    init(
        program: String, defaultPath: String, environmentPrefix: String, readers: [String], exampleKey: String,
        settings: [Setting<Settings>], secrets: [HeldSecret<Settings>],
        complete: @escaping @Sendable (inout Settings) -> Void = { _ in },
        misplaced: @escaping @Sendable (Settings, Set<String>) -> [(key: String, message: String)] = { _, _ in [] },
        owner: @escaping @Sendable (Settings, String) -> String? = { _, _ in nil },
        inconsistencies: @escaping @Sendable (Settings, ConfigurationDialect) -> [(key: String, message: String)]
    ) {
        self.program = program
        self.defaultPath = defaultPath
        self.environmentPrefix = environmentPrefix
        self.readers = readers
        self.exampleKey = exampleKey
        self.settings = settings
        self.secrets = secrets
        self.complete = complete
        self.misplaced = misplaced
        self.owner = owner
        self.inconsistencies = inconsistencies
    }

    /// The name of the file without its folder, such as `relayd.yaml`; its manual page is called so.
    public var fileName: String { self.defaultPath.split(separator: "/").last.map(String.init) ?? self.defaultPath }

    /// The keys whose values are secret, and may come from files in `$CREDENTIALS_DIRECTORY`.
    public var secretKeys: [String] { self.settings.filter(\.isSecret).map(\.key) }

    /// The variable with the connection string by which the schema is made. It is no setting, though it begins as one: it is
    /// for another command, and may stand in the same file of an environment.
    public var administratorVariable: String { self.environmentPrefix + "MIGRATE_CONNECTION" }

    /// `queue.lease-ttl` as `RELAYD_QUEUE_LEASE_TTL`.
    public func variable(of key: String) -> String {
        self.environmentPrefix + key.uppercased().map { $0 == "." || $0 == "-" ? "_" : String($0) }.joined()
    }
}

/// A value that may have a secret in it, which must not stand in a file that others can read.
struct HeldSecret<Settings>: Sendable {
    let key: String
    /// What it holds, such as `a password`.
    let content: String
    /// What the whole value is, such as `the connection string`.
    let value: String
    let isHeld: @Sendable (Settings, ConfigurationDialect) -> Bool
}
