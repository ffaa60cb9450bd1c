import CSeccomp
import Glibc
public import MailModel

/// How a resolver finds name servers, what it trusts, and how much it may hold.
public struct SecureResolverSettings: Hashable, Sendable {
    /// One of libunbound's `server:` options by its own name, such as `outgoing-range` with `512`.
    public struct Option: Hashable, Sendable {
        /// The option's name, without the colon.
        public var name: String
        /// Its value as unbound.conf(5) writes it, quotes included where that page wants them.
        public var value: String

        /// One option.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// A name server to ask.
    public struct Server: Hashable, Sendable {
        /// Its address.
        public var address: IPAddress
        /// Its port, over UDP and TCP.
        public var port: UInt16

        /// A server at an address.
        public init(_ address: IPAddress, port: UInt16 = 53) {
            self.address = address
            self.port = port
        }
    }

    /// A zone whose authoritative servers are known, and are asked without following delegations to it.
    public struct StubZone: Hashable, Sendable {
        /// The zone; `nil` is the root, which no `DomainName` can be.
        public var zone: DomainName?
        /// Its servers, at least one.
        public var servers: [Server]

        /// A zone and its servers.
        public init(_ zone: DomainName?, servers: [Server]) {
            self.zone = zone
            self.servers = servers
        }
    }

    /// Where trust begins.
    public enum TrustAnchor: Hashable, Sendable {
        /// A file of DS or DNSKEY records in zone file form. It is only read; whoever owns it replaces it at a rollover.
        case file(String)
        /// One DS or DNSKEY record in zone file form.
        case record(String)
    }

    /// Debian's copy of the root's trust anchor (package dns-root-data), which its security updates keep current.
    public static let systemRootAnchor = TrustAnchor.file("/usr/share/dns/root.key")

    /// Root hints file; `nil` uses those that libunbound carries.
    public var rootHints: String?
    /// Recursive servers that get every question; none means asking the authoritative servers directly.
    public var forwarders: [Server] = []
    /// Zones with known servers.
    public var stubZones: [StubZone] = []
    /// What to trust; without any anchor a resolver does not start.
    public var trustAnchors: [TrustAnchor] = [systemRootAnchor]
    /// Further libunbound options: those of `UnboundOption`, none of which can weaken validation. Others are refused.
    public var options: [Option] = []

    /// Domains that are not validated for the time being.
    public var unvalidatedDomains: [UnvalidatedDomain] = []

    /// The most answers kept by the cache in front of libunbound.
    public var cacheEntries = 65_536
    /// The most bytes of answers kept by that cache, by its own estimate; libunbound's caches get as many again.
    public var cacheBytes = 64 << 20
    /// How long one question may take altogether. Half a minute outlasts libunbound's own retries of a slow server.
    public var queryDeadline = Duration.seconds(30)
    /// The most questions under way in libunbound; further ones fail at once as `.resolverUnavailable`. Most of them are
    /// those that nobody answers.
    public var concurrentQueries = 8192
    /// The most sockets that libunbound has open to ask by UDP.
    public var sockets = 8192
    /// The most TLSA or DS records of one name; an answer with more is malformed. Of hosts and addresses a part will do.
    public var maximumRecords = 100
    /// The most aliases followed to an answer.
    public var maximumAliases = 16
    /// The program that runs as the resolver's process; by default the one that runs now.
    public var executable = "/proc/self/exe"
    /// Its arguments, with which it comes to `ResolverChild.run()`.
    public var arguments = ["resolver"]
    /// Whether that process locks itself in: no files, no other programs, limits on all it uses. Without that it starts only
    /// where this is `false`.
    public var isLockedIn = true
    /// The signed zone whose SOA record the self-test asks for; `nil` is the root.
    public var selfTestZone: DomainName?

    /// What a child needs beside those: for TCP, its thread and the node.
    static let otherDescriptors = 512
    /// No node can look up with less.
    private static let leastSockets = 64

    /// With no more sockets than the system allows a child of this process.
    func fitting() -> SecureResolverSettings {
        var limit = rlimit()
        // The call fills the structure, and keeps nothing of it.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return self }
        var settings = self
        let most = Int(clamping: limit.rlim_max) - Self.otherDescriptors
        settings.sockets = max(min(self.sockets, most), Self.leastSockets)
        return settings
    }

    /// The defaults: full recursion from the root, validated from Debian's root anchor.
    public init() {}
}
