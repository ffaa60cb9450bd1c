import Foundation
import MailModel
import OperatingSystem

extension ConfigurationLoader {
    /// Where the file is looked for unless `--config` names another.
    public static let defaultPath = "/etc/relayd/relayd.yaml"
    /// The keys whose values are secret, and may come from files in `$CREDENTIALS_DIRECTORY`.
    public static var secretKeys: [String] { ConfigurationSchema.settings.filter(\.isSecret).map(\.key) }
    /// The variable with the connection string of `relayd migrate`. It is no setting of a node, and a node does not look at it.
    package static let administratorVariable = "RELAYD_MIGRATE_CONNECTION"
    /// The largest file that is read.
    static let maximumFileSize = 4 << 20

    /// A loader with the sources of this process. A file named by `path` must exist; the default one may be absent.
    public static func ofThisProcess(
        path: String?, flags: [String], dialect: ConfigurationDialect = ConfigurationDialect()
    ) throws(ConfigurationError) -> ConfigurationLoader {
        let environment = ProcessInfo.processInfo.environment
        var loader = Self.withoutSources()
        loader.dialect = dialect
        if let path {
            loader.file = try Self.read(path)
        } else if FileManager.default.fileExists(atPath: Self.defaultPath) {
            loader.file = try Self.read(Self.defaultPath)
        }
        if let directory = environment["CREDENTIALS_DIRECTORY"] {
            loader.credentials = try Self.credentials(in: directory)
        }
        loader.environment = environment
        loader.flags = flags
        return loader
    }

    /// A loader that gives the defaults on this machine.
    public static func withoutSources() -> ConfigurationLoader {
        ConfigurationLoader(hostName: DomainName(ProcessInfo.processInfo.hostName) ?? RelaydConfiguration.localHostName)
    }

    /// The files in systemd's credentials directory that are named like a secret key; others are not ours.
    static func credentials(in directory: String) throws(ConfigurationError) -> [String: File] {
        var found: [String: File] = [:]
        for setting in ConfigurationSchema.settings where setting.isSecret {
            let path = "\(directory)/\(setting.key)"
            if FileManager.default.fileExists(atPath: path) { found[setting.key] = try Self.credential(path) }
        }
        return found
    }

    /// Reads a secret from a file in the credentials directory.
    ///
    /// Others must not be able to read it. systemd closes both file and folder. Kubernetes mounts files of mode 0644, which do no
    /// harm below a folder that is closed to others.
    package static func credential(_ path: String) throws(ConfigurationError) -> File {
        let file = try Self.read(path)
        guard let mode = file.exposedMode, FolderAccess.isWithinReachOfOthers(path) else { return file }
        throw ConfigurationError(problems: [
            ConfigurationProblem(
                .credential(path), "",
                """
                others can read or change this file (mode \(mode)), and pass all folders above it; use mode 0400 or 0440, \
                or close the folder to others (chmod o-x)
                """)
        ])
    }

    /// Reads a file of settings, or a secret.
    static func read(_ path: String) throws(ConfigurationError) -> File {
        func problem(_ message: String) -> ConfigurationError {
            ConfigurationError(problems: [ConfigurationProblem(.file(path, line: 1), "", message)])
        }
        let content: BoundedFile.Content
        do {
            content = try BoundedFile.read(path, limit: Self.maximumFileSize)
        } catch {
            throw problem(error.description)
        }
        guard let text = String(validating: content.bytes, as: UTF8.self) else { throw problem("is not UTF-8 text") }
        return File(path: path, text: text, exposedMode: content.isExposed ? BoundedFile.octal(content.mode) : nil)
    }
}

extension RelaydConfiguration {
    /// The name of a machine that has none.
    static let localHostName: DomainName = {
        guard let name = DomainName("localhost") else { preconditionFailure("localhost is a domain name") }
        return name
    }()
}
