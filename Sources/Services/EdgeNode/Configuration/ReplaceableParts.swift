import Admission
import Cryptography
import MailModel
import RelayConfiguration
import ServiceSupport
import TLSEngine

/// What of a running node follows its configuration without a restart: its `NodeState`, users, certificates with their keys, and the
/// clients that are recognised by theirs.
///
/// Whether there are certificates and users at all is settled at the start.
struct ReplaceableParts: Sendable {
    /// `nil` when the node started without certificates.
    let certificates: ServerCertificateStore?
    /// `nil` when it started without users.
    let users: Replaceable<UserCredentials>?
    let state: Replaceable<NodeState>
    /// Shares out connections by the limits of the state.
    let sites: SiteTable

    /// Parts of a node that starts with these files.
    init(_ files: ConfiguredFiles, state: Replaceable<NodeState>, sites: SiteTable) {
        self.certificates = files.certificateStore
        self.users = files.users.map { Replaceable($0) }
        self.state = state
        self.sites = sites
    }

    /// Takes over what has been read and found good. Replaces nothing when it throws.
    func replace(with files: ConfiguredFiles, state: NodeState) throws(TLSConfigurationError) {
        // The only step that can fail comes first.
        if let certificates, self.follows(files.certificates) {
            try certificates.replace(files.certificates, clients: files.recognisedClients)
        }
        if let users, let next = files.users { users.replace(with: next) }
        self.state.replace(with: state)
        self.sites.replace(state.sites)
    }

    /// Whether these certificates replace those that are served.
    func follows(_ certificates: [ServerCertificate]) -> Bool { self.certificates != nil && !certificates.isEmpty }

    /// The state of a node that started with one configuration and takes over another.
    ///
    /// - Parameter current: what is in force, perhaps since another reload.
    static func state(
        _ running: RelaydConfiguration, taking next: RelaydConfiguration, _ lists: [DomainName: RecipientList],
        _ tls: TLSClientContext, current: NodeState
    ) throws -> NodeState {
        var state = try Self.configuration(running, taking: next).nodeState(lists, tls)
        state.version = current.version + 1
        // Mail for a postmaster who is named no more may have been answered 250.
        state.policy.postmaster = state.policy.postmaster ?? current.policy.postmaster
        return state
    }

    /// The settings by which a node goes on that started with some and takes over others.
    static func configuration(_ running: RelaydConfiguration, taking next: RelaydConfiguration) -> RelaydConfiguration {
        var configuration = running
        configuration.acceptedDomains = next.acceptedDomains
        configuration.relayNetworks = next.relayNetworks
        // They are replaced together with the certificates that are served, or not at all.
        if !running.tls.certificates.isEmpty, !next.tls.certificates.isEmpty {
            configuration.tls.clientCertificates = next.tls.clientCertificates
        }
        configuration.delivery.destinations = next.delivery.destinations
        configuration.delivery.tlsExceptions = next.delivery.tlsExceptions
        configuration.delivery.sites = next.delivery.sites
        configuration.delivery.maxConnectionsPerSite = next.delivery.maxConnectionsPerSite
        configuration.delivery.siteRate = next.delivery.siteRate
        configuration.delivery.chunking = next.delivery.chunking
        return configuration
    }

    /// The keys whose new values wait for a restart. To begin or to cease to offer STARTTLS or AUTH is among them.
    static func waiting(from running: RelaydConfiguration, to next: RelaydConfiguration) -> [String] {
        ConfigurationSchema.changedKeys(
            from: Self.withoutContent(Self.configuration(running, taking: next)), to: Self.withoutContent(next))
    }

    /// The settings with no more of certificates and users than that there are any.
    private static func withoutContent(_ configuration: RelaydConfiguration) -> RelaydConfiguration {
        var rest = configuration
        rest.tls.certificates = Array(rest.tls.certificates.prefix(1).map { _ in CertificateFiles() })
        rest.auth.usersFile = rest.auth.usersFile.map { _ in "" }
        return rest
    }
}
