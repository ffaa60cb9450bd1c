import Admission
import Cryptography
import MailModel
import RelayConfiguration
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

    /// The authorities that hosts are verified by, by file.
    static func authorities(
        _ loaded: LoadedConfiguration, _ problems: inout [ConfigurationProblem]
    ) -> [String: [Certificate]] {
        let configuration = loaded.configuration
        let named =
            configuration.acceptedDomains.enumerated().map {
                ("accepted-domains", $0.offset, $0.element.transport.authorityFile)
            }
            + configuration.delivery.destinations.enumerated().map {
                ("delivery.destinations", $0.offset, $0.element.transport.authorityFile)
            }
        var authorities: [String: [Certificate]] = [:]
        for case (let key, let index, let path?) in named where authorities[path] == nil {
            do {
                authorities[path] = try Certificate.readAll(file: path)
            } catch {
                problems.append(loaded.problem(with: key, element: "[\(index)].tls-ca-file", error.message))
            }
        }
        return authorities
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
