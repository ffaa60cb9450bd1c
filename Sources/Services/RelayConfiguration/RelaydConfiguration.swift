public import Admission
public import ClusterModel
public import MailModel
public import Routing

/// Every setting of one node: typed, checked, and not changed once loaded.
///
/// The defaults stand here, beside the types; keys, limits and explanations stand in `ConfigurationSchema`, which reads
/// the defaults from this value.
public struct RelaydConfiguration: Hashable, Sendable {
    public var node: Node
    public var smtp = SMTP()
    public var tls = TLS()
    public var auth = Auth()
    public var acceptedDomains: [AcceptedDomainSettings] = []
    public var callAhead = CallAhead()
    public var relayNetworks = CIDRBlock.loopback
    public var database = Database()
    public var queue = Queue()
    public var retry = Retry()
    public var delivery = Delivery()
    public var resolver = Resolver()
    public var dsn = DSN()
    public var telemetry = Telemetry()
    public var drain = Drain()
    public var control = Control()

    /// The defaults on a machine of this name.
    public init(hostName: DomainName) { self.node = Node(name: hostName) }

    public struct Node: Hashable, Sendable {
        public var name: DomainName
    }

    public struct SMTP: Hashable, Sendable {
        public var listeners = [Listener()]
        public var maxConnections = 2000
        public var maxConnectionsPerAddress = 50
        public var maxConnectionRate = 1200
        public var clientPrefixIPv4 = 32
        public var clientPrefixIPv6 = 64
        public var proxyNetworks: [CIDRBlock] = []
        public var proxyTimeout = Duration.seconds(5)
        public var greetingDelay = Duration.milliseconds(20)
        public var maxMessageSize = ByteCount.mebibytes(50)
        public var maxRecipients = 1000
        public var maxMessagesPerConnection = 1000
        public var maxReceivedFields = 100
        public var addMissingFields = false
        public var hideAuthenticatedClients = false
        public var maxCommandLine = ByteCount(2048)
        public var maxTextLine = ByteCount(65_536)
        public var maxErrors = 20
        public var maxNoops = 100
        public var maxAuthenticationFailures = 3
        public var commandTimeout = Duration.seconds(300)
        public var dataTimeout = Duration.seconds(180)
        public var minDataRate = ByteCount(500)
        public var handshakeTimeout = Duration.seconds(10)
        public var sessionLifetime = Duration.seconds(86_400)
    }

    public struct TLS: Hashable, Sendable {
        public var certificates: [CertificateFiles] = []
        public var required = true
        public var clientCertificates = ClientCertificates()
    }

    public struct Auth: Hashable, Sendable {
        public var usersFile: String?
        public var threads = 2
        public var maxWaiting = 100
        public var maxFailures = 10
        public var failureWindow = Duration.seconds(600)
        public var cacheTime = Duration.seconds(300)
    }

    public struct CallAhead: Hashable, Sendable {
        public var timeout = Duration.seconds(10)
        public var positiveCacheTime = Duration.seconds(86_400)
        public var negativeCacheTime = Duration.seconds(7200)
        public var cacheEntries = 20_000
        public var maxConnections = 32
        public var maxConnectionsPerDomain = 4
        public var onFailure = CallAheadFailure.tempfail
    }

    public struct Database: Hashable, Sendable {
        public var connection = "dbname=relay"
        public var allowsFsyncOff = false
        public var poolSize = 8
        public var connectTimeout = Duration.seconds(5)
        public var acquireTimeout = Duration.seconds(5)
        public var statementTimeout = Duration.seconds(8)
        public var snapshotWarning = Duration.seconds(300)
    }

    public struct Queue: Hashable, Sendable {
        public var shards = 64
        public var leaseTTL = Duration.seconds(10)
        public var leaseRenewal = Duration.seconds(3)
        public var traceRetention = Duration.seconds(30 * 86_400)
        public var maxMessages = 0
        public var maxBytes = ByteCount(0)
        public var maxDatabaseSize = ByteCount(0)
        public var maxCopyBytes = ByteCount(1 << 30)
        public var maxStagedBytes = ByteCount(1 << 30)
        public var maxTraceSize = ByteCount(10 << 30)
    }

    public struct Retry: Hashable, Sendable {
        public var schedule: [Duration] = [.seconds(900), .seconds(900), .seconds(3600)]
        public var nextHopSchedule: [Duration] = [.seconds(30), .seconds(60), .seconds(300)]
        public var lifetime = Duration.seconds(5 * 86_400)
        public var daneSchedule: [Duration]?
        public var daneLifetime = Duration.seconds(86_400)
        public var delayNotice = Duration.seconds(4 * 3600)
        public var destinations: [RetryRule] = []
    }

    public struct Delivery: Hashable, Sendable {
        public var hostName: DomainName?
        public var sourceAddresses: [SourceAddress] = []
        public var addressPreference = AddressPreference.ipv6First
        public var ownAddresses: [IPAddress] = []
        public var allowsLoopback = false
        public var port: UInt16 = 25
        public var maxConnections = 200
        public var maxConnectionsPerDestination = 20
        public var maxConnectionsPerSite = 20
        public var siteRate = 0
        public var sites: [SiteRule] = []
        public var messagesPerConnection = 100
        public var chunking = true
        public var eightBitConversion = EightBitConversion.never
        public var insecureMX = RoutePolicy.InsecureMX.authenticate
        public var destinations: [DestinationRule] = []
        public var tlsExceptions: [TLSException] = []
        public var connectTimeout = Duration.seconds(30)
        public var greetingTimeout = Duration.seconds(300)
        public var commandTimeout = Duration.seconds(300)
        public var handshakeTimeout = Duration.seconds(30)
        public var dataTimeout = Duration.seconds(180)
        public var finalDotTimeout = Duration.seconds(600)
        public var transactionTimeout = Duration.seconds(7200)
    }

    public struct Resolver: Hashable, Sendable {
        public var trustAnchorFiles = ["/usr/share/dns/root.key"]
        public var rootHints: String?
        public var forwarders: [Endpoint] = []
        public var stubs: [ResolverStub] = []
        public var options: [String: String] = [:]
        public var unvalidatedDomains: [UnvalidatedDomainRule] = []
        public var cacheEntries = 100_000
        public var timeout = Duration.seconds(30)
        public var sandbox = ResolverSandbox.required
    }

    public struct DSN: Hashable, Sendable {
        public var from: String?
        public var postmaster: String?
        public var maxReturnedSize = ByteCount(50 * 1024)
        public var maxReportsPerSenderDomain = 300
        public var maxReportsPerClient = 100
    }

    public struct Telemetry: Hashable, Sendable {
        public var address = Endpoint(.loopback, 9925)
        public var logLevel = LogLevel.info
        public var logAddresses = false
    }

    public struct Control: Hashable, Sendable {
        public var addresses: [ControllerAddress] = []
        public var stateDirectory = "/var/lib/relayd"
        public var joinToken: JoinToken?
    }

    public struct Drain: Hashable, Sendable {
        public var delay = Duration.zero
        public var timeout = Duration.seconds(30)
    }
}

extension RelaydConfiguration {
    /// The name in EHLO of outbound connections.
    public var outboundHostName: DomainName { self.delivery.hostName ?? self.node.name }

    /// The name in the banner and EHLO reply of a listener.
    public func hostName(of listener: Listener) -> DomainName { listener.hostName ?? self.node.name }

    /// The header address of delivery status notifications; their envelope sender is always empty.
    public var dsnFrom: String { self.dsn.from ?? "mailer-daemon@\(self.node.name)" }

    /// Whether domains, users and certificates come from a controller, and not from these settings and their files.
    public var hasController: Bool { !self.control.addresses.isEmpty }

    /// Where mail for the bare `<Postmaster>` goes. It is `nil` where nobody was named and the node's own name is no
    /// accepted domain, since such mail would come back to this node.
    public var postmaster: String? {
        if let configured = self.dsn.postmaster { return configured }
        let isAccepted = self.acceptedDomains.contains { $0.domain == self.node.name }
        return isAccepted ? "postmaster@\(self.node.name)" : nil
    }

    /// Bytes of bodies on their way in, in all copies; 0 is without limit. With a limit on the database, a quarter of that is the
    /// most: what is staged must not close the queue by itself.
    package var stagedBytes: Int { self.share(of: self.queue.maxStagedBytes) }

    /// Bytes of the trace, in the same way.
    package var traceBytes: Int { self.share(of: self.queue.maxTraceSize) }

    /// A limit in bytes within a quarter of that of the database; 0 is without limit.
    private func share(of limit: ByteCount) -> Int {
        let quarter = self.queue.maxDatabaseSize.bytes / 4
        guard quarter > 0 else { return limit.bytes }
        return limit.bytes > 0 ? min(limit.bytes, quarter) : quarter
    }
}
