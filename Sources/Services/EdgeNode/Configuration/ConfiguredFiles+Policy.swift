import MailModel
import TLSEngine

/// The files that say who may send what.
extension ConfiguredFiles {
    static func users(_ loaded: LoadedConfiguration, _ problems: inout [ConfigurationProblem]) -> UserCredentials? {
        guard let path = loaded.configuration.auth.usersFile else { return nil }
        switch SettingsFile.read(path, isSecret: true, as: UserCredentials.self) {
        case .success(let users): return users
        case .failure(let faults):
            problems += faults.problems(of: path, with: "auth.users-file", in: loaded)
            return nil
        }
    }

    static func recipientLists(
        _ loaded: LoadedConfiguration, _ problems: inout [ConfigurationProblem]
    ) -> [DomainName: RecipientList] {
        var lists: [DomainName: RecipientList] = [:]
        for (index, domain) in loaded.configuration.acceptedDomains.enumerated() {
            guard case .file(let path) = domain.recipients else { continue }
            switch SettingsFile.read(path, as: RecipientList.self) {
            case .success(let list): lists[domain.domain] = list
            case .failure(let faults):
                problems += faults.problems(
                    of: path, with: "accepted-domains", element: "[\(index)].recipients", in: loaded)
            }
        }
        return lists
    }

    /// `nil` when no client is to be recognised by its certificate.
    static func recognisedClients(
        _ loaded: LoadedConfiguration, _ problems: inout [ConfigurationProblem]
    ) -> RecognisedClients? {
        let settings = loaded.configuration.tls.clientCertificates
        guard settings != ClientCertificates() else { return nil }
        do {
            return try RecognisedClients(
                authorityFile: settings.authorityFile, fingerprints: Set(settings.fingerprints.map(\.bytes)))
        } catch {
            problems.append(loaded.problem(with: "tls.client-certificates", error.message))
            return nil
        }
    }
}

extension SettingsFile.Faults {
    /// The most that is told about one file.
    private static let toldFaults = 20

    fileprivate func problems(
        of path: String, with key: String, element: String = "", in loaded: LoadedConfiguration
    ) -> [ConfigurationProblem] {
        self.all.prefix(Self.toldFaults).map { loaded.problem(with: key, element: element, "\(path): \($0)") }
    }
}
