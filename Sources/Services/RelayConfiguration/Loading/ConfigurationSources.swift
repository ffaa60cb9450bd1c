import Foundation
import MailModel
import OperatingSystem

extension SettingsLoader {
    /// Where the file is looked for unless `--config` names another.
    public static var defaultPath: String { Settings.schema.defaultPath }

    /// A loader with the sources of this process. A file named by `path` must exist; the default one may be absent.
    public static func ofThisProcess(
        path: String?, flags: [String], dialect: ConfigurationDialect = ConfigurationDialect()
    ) throws(ConfigurationError) -> SettingsLoader {
        let environment = ProcessInfo.processInfo.environment
        var loader = Self.withoutSources()
        loader.dialect = dialect
        if let path {
            loader.file = try SettingsFile.read(path)
        } else if FileManager.default.fileExists(atPath: Self.defaultPath) {
            loader.file = try SettingsFile.read(Self.defaultPath)
        }
        if let directory = environment["CREDENTIALS_DIRECTORY"] {
            loader.credentials = try Self.credentials(in: directory)
        }
        loader.environment = environment
        loader.flags = flags
        return loader
    }

    /// A loader that gives the defaults on this machine.
    public static func withoutSources() -> SettingsLoader {
        SettingsLoader(hostName: DomainName(ProcessInfo.processInfo.hostName) ?? RelaydConfiguration.localHostName)
    }

    /// The files in systemd's credentials directory that are named like a secret key; others are not ours.
    static func credentials(in directory: String) throws(ConfigurationError) -> [String: SettingsFile] {
        var found: [String: SettingsFile] = [:]
        for key in Settings.schema.secretKeys {
            let path = "\(directory)/\(key)"
            if FileManager.default.fileExists(atPath: path) { found[key] = try SettingsFile.credential(path) }
        }
        return found
    }
}

extension SettingsFile {
    /// The largest file that is read.
    private static let maximumSize = 4 << 20

    /// Reads a secret from a file in the credentials directory.
    ///
    /// Others must not be able to read it. systemd closes both file and folder. Kubernetes mounts files of mode 0644, which do no
    /// harm below a folder that is closed to others.
    package static func credential(_ path: String) throws(ConfigurationError) -> SettingsFile {
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
    static func read(_ path: String) throws(ConfigurationError) -> SettingsFile {
        func problem(_ message: String) -> ConfigurationError {
            ConfigurationError(problems: [ConfigurationProblem(.file(path, line: 1), "", message)])
        }
        let content: BoundedFile.Content
        do {
            content = try BoundedFile.read(path, limit: Self.maximumSize)
        } catch {
            throw problem(error.description)
        }
        guard let text = String(validating: content.bytes, as: UTF8.self) else { throw problem("is not UTF-8 text") }
        return SettingsFile(
            path: path, text: text, exposedMode: content.isExposed ? BoundedFile.octal(content.mode) : nil)
    }
}

extension RelaydConfiguration {
    /// The name of a machine that has none.
    static let localHostName: DomainName = {
        guard let name = DomainName("localhost") else { preconditionFailure("localhost is a domain name") }
        return name
    }()
}
