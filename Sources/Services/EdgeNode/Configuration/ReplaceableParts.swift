import MailModel
import TLSEngine

/// What of a running node follows its files without a restart: certificates with their keys, users and lists of
/// recipients.
///
/// Whether there are certificates and users at all, and which domains have a list, is settled at the start.
struct ReplaceableParts: Sendable {
    /// `nil` when the node started without certificates.
    let certificates: ServerCertificateStore?
    /// `nil` when it started without users.
    let users: Replaceable<UserCredentials>?
    let policy: Replaceable<InboundPolicy>

    /// Parts of a node that starts with these files.
    init(_ files: ConfiguredFiles, policy: InboundPolicy) {
        self.certificates = files.certificateStore
        self.users = files.users.map { Replaceable($0) }
        self.policy = Replaceable(policy)
    }

    /// Takes over what has been read and found good. Replaces nothing when it throws.
    func replace(with files: ConfiguredFiles) throws(TLSConfigurationError) {
        // The only step that can fail comes first.
        if let certificates, self.follows(files.certificates) { try certificates.replace(files.certificates) }
        if let users, let next = files.users { users.replace(with: next) }
        self.policy.replace(with: self.policy.current.with(files.recipientLists))
    }

    /// Whether these certificates replace those that are served.
    func follows(_ certificates: [ServerCertificate]) -> Bool { self.certificates != nil && !certificates.isEmpty }

    /// The settings without what `replace` takes over; what is left of a difference waits for a restart.
    static func lasting(_ configuration: RelaydConfiguration) -> RelaydConfiguration {
        var rest = configuration
        rest.tls.certificates = Array(rest.tls.certificates.prefix(1).map { _ in CertificateFiles() })
        rest.auth.usersFile = rest.auth.usersFile.map { _ in "" }
        for index in rest.acceptedDomains.indices {
            if case .file = rest.acceptedDomains[index].recipients {
                rest.acceptedDomains[index].recipients = .file("")
            }
        }
        return rest
    }
}
