import MailModel
import TLSEngine

/// What of a running node follows its configuration without a restart: accepted domains with their next hops and lists of
/// recipients, networks that may relay, certificates with their keys, and users.
///
/// Whether there are certificates and users at all is settled at the start.
struct ReplaceableParts: Sendable {
    /// `nil` when the node started without certificates.
    let certificates: ServerCertificateStore?
    /// `nil` when it started without users.
    let users: Replaceable<UserCredentials>?
    let policy: Replaceable<InboundPolicy>

    /// Parts of a node that starts with these files.
    init(_ files: ConfiguredFiles, policy: Replaceable<InboundPolicy>) {
        self.certificates = files.certificateStore
        self.users = files.users.map { Replaceable($0) }
        self.policy = policy
    }

    /// Takes over what has been read and found good. Replaces nothing when it throws.
    func replace(with files: ConfiguredFiles, policy: InboundPolicy) throws(TLSConfigurationError) {
        // The only step that can fail comes first.
        if let certificates, self.follows(files.certificates) { try certificates.replace(files.certificates) }
        if let users, let next = files.users { users.replace(with: next) }
        self.policy.replace(with: policy)
    }

    /// Whether these certificates replace those that are served.
    func follows(_ certificates: [ServerCertificate]) -> Bool { self.certificates != nil && !certificates.isEmpty }

    /// The policy of a node that started with one configuration and takes over another.
    ///
    /// What accepted domains demand of TLS is settled at the start. Where that has changed, they wait as a whole: mail must not
    /// go to a domain without what the operator demands.
    ///
    /// - Parameter current: what is in force, perhaps since another reload.
    static func policy(
        _ running: RelaydConfiguration, taking next: RelaydConfiguration, _ lists: [DomainName: RecipientList],
        current: InboundPolicy
    ) throws -> InboundPolicy {
        var configuration = running
        configuration.acceptedDomains = next.acceptedDomains
        configuration.relayNetworks = next.relayNetworks
        var policy = try configuration.inboundPolicy(lists)
        guard Self.demands(of: running) == Self.demands(of: next) else {
            policy = current
            policy.relayNetworks = next.relayNetworks
            for (domain, verification) in current.verification {
                if case .list = verification, let list = lists[domain] { policy.verification[domain] = .list(list) }
            }
            return policy
        }
        // Mail for a postmaster who is named no more may have been answered 250.
        policy.postmaster = policy.postmaster ?? current.postmaster
        return policy
    }

    /// The accepted domains that demand something of their hosts, with their next hops, whose names may be verified.
    private static func demands(of configuration: RelaydConfiguration) -> [AcceptedDomain] {
        configuration.acceptedDomains.filter { $0.transport != TransportSettings() }.map { domain in
            var domain = domain
            domain.recipients = .any
            return domain
        }
    }

    /// The settings without what `replace` takes over; what is left of a difference waits for a restart.
    static func lasting(_ configuration: RelaydConfiguration) -> RelaydConfiguration {
        var rest = configuration
        rest.tls.certificates = Array(rest.tls.certificates.prefix(1).map { _ in CertificateFiles() })
        rest.auth.usersFile = rest.auth.usersFile.map { _ in "" }
        rest.acceptedDomains = Self.demands(of: configuration)
        rest.relayNetworks = []
        return rest
    }
}
