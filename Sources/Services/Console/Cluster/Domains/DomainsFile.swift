import ControlAPI
import Cryptography
import Foundation
import MailModel
import NodeState
import OperatingSystem
import OperatorCommands
import RelayConfiguration

/// A file of domains: `accepted-domains` of `relayd.yaml`, with the files that it names.
struct DomainsFile {
    private static let key = "accepted-domains"

    let domains: [DesiredDomain]

    /// Reads a file, and those that it names; their paths are relative to its folder.
    init(path: String) throws(ConsoleFailure) {
        let configuration = try SharedSettings.read(path, keys: [Self.key])
        self.domains = try Self.desired(configuration.acceptedDomains, in: SettingsFolder(of: path))
    }

    /// One domain, as the options of a command have it.
    ///
    /// - Parameter settings: of `accepted-domains`, by key.
    init(domain: String, settings: [(key: String, value: String)]) throws(ConsoleFailure) {
        let all = [("domain", JSONText.quoted(domain))] + settings
        let element = all.map { "\($0.0): \($0.1)" }.joined(separator: ", ")
        let configuration = try SharedSettings.read(text: "\(Self.key): [{\(element)}]", of: "the options")
        self.domains = try Self.desired(configuration.acceptedDomains, in: SettingsFolder())
    }

    private static func desired(
        _ settings: [AcceptedDomainSettings], in folder: SettingsFolder
    ) throws(ConsoleFailure) -> [DesiredDomain] {
        var domains: [DesiredDomain] = []
        for domain in settings {
            var recipients: [String]?
            if case .file(let path) = domain.recipients { recipients = try folder.recipients(path) }
            let authorities = try domain.transport.authorityFile.map { path throws(ConsoleFailure) in
                try folder.authorities(path)
            }
            domains.append(
                DesiredDomain(domain: ControlDomain(domain, authorities: authorities), recipients: recipients))
        }
        return domains
    }
}

/// Reads settings that all nodes of a cluster share from a file as `relayd.yaml` is one, in which nothing else may stand.
enum SharedSettings {
    /// The most bytes of a file.
    private static let maximumBytes = 4 << 20

    static func read(_ path: String, keys: Set<String>) throws(ConsoleFailure) -> RelaydConfiguration {
        let bytes: [UInt8]
        do throws(BoundedFile.Fault) {
            bytes = try BoundedFile.read(path, limit: Self.maximumBytes).bytes
        } catch {
            throw ConsoleFailure(.badData, "\(path): \(error)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConsoleFailure(.badData, "\(path): is not UTF-8 text")
        }
        let loaded = try Self.load(text, of: path)
        if let key = loaded.sources.keys.sorted().first(where: { !keys.contains($0) }) {
            throw ConsoleFailure(
                .badData,
                "\(loaded.problem(with: key, "does not belong here: expected \(keys.sorted().joined(separator: ", "))"))"
            )
        }
        return loaded.configuration
    }

    static func read(text: String, of place: String) throws(ConsoleFailure) -> RelaydConfiguration {
        try Self.load(text, of: place).configuration
    }

    private static func load(_ text: String, of path: String) throws(ConsoleFailure) -> LoadedConfiguration {
        var loader = ConfigurationLoader.withoutSources()
        loader.dialect = .libraries
        loader.file = ConfigurationLoader.File(path: path, text: text)
        do throws(ConfigurationError) {
            return try loader.load()
        } catch {
            throw ConsoleFailure(.badData, error.description)
        }
    }
}

/// Where the files are that a file of settings names.
struct SettingsFolder {
    private let folder: String

    /// The folder of a file; without one, that of the process.
    init(of path: String? = nil) {
        self.folder = path?.lastIndex(of: "/").map { index in String(path?[...index] ?? "") } ?? ""
    }

    private func place(_ path: String) -> String { path.hasPrefix("/") ? path : self.folder + path }

    /// The local parts that a file names, each once: case makes no difference.
    func recipients(_ path: String) throws(ConsoleFailure) -> [String] {
        switch ListedRecipients.file(self.place(path)) {
        case .success(let listed):
            var seen: Set<String> = []
            return listed.localParts.map { $0.lowercased() }.filter { seen.insert($0).inserted }
        case .failure(let faults): throw ConsoleFailure(.badData, "\(path): \(faults)")
        }
    }

    /// Certificates of authorities, in PEM.
    func authorities(_ path: String) throws(ConsoleFailure) -> String {
        do {
            return try Certificate.readAll(file: self.place(path)).map(\.pem).joined()
        } catch {
            throw ConsoleFailure(.badData, error.message)
        }
    }
}
