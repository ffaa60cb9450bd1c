public import MailModel

/// Every setting of one controller: typed, checked, and not changed once loaded.
///
/// The defaults stand here; keys, limits and explanations stand in `ControllerSchema`.
public struct ControllerConfiguration: Hashable, Sendable {
    public var controller: Controller
    public var database = Database()
    public var control = Control()
    public var queue = Queue()
    public var keys = Keys()
    public var certificates = Certificates()
    public var telemetry = Telemetry()
    public var drain = Drain()

    /// The file of the key-encryption key, unless another is named.
    public static let defaultKeyFile = "/etc/relayd/relay-controller.key"

    /// The defaults on a machine of this name.
    public init(hostName: DomainName) { self.controller = Controller(name: hostName) }

    public struct Controller: Hashable, Sendable {
        public var name: DomainName
    }

    public struct Database: Hashable, Sendable {
        public var connection = "dbname=relay"
        public var poolSize = 8
        public var connectTimeout = Duration.seconds(5)
        public var acquireTimeout = Duration.seconds(5)
        public var statementTimeout = Duration.seconds(8)
    }

    public struct Control: Hashable, Sendable {
        public var listeners = [Endpoint(.v4(0), 9926)]
        public var maxConnections = 2000
        public var maxSnapshotsPerSecond = 25
        public var connectionAge = Duration.seconds(1800)
        public var reflection = false
    }

    public struct Queue: Hashable, Sendable {
        public var connection: String?
    }

    public struct Keys: Hashable, Sendable {
        public var encryptionKey: EncryptionKeyText?
        public var encryptionKeyFile = ControllerConfiguration.defaultKeyFile
        public var previousEncryptionKeyFiles: [String] = []
    }

    public struct Certificates: Hashable, Sendable {
        public var lifetime = Duration.seconds(86_400)
        public var peopleLifetime = Duration.seconds(90 * 86_400)
        public var grace = Duration.seconds(7 * 86_400)
    }

    public struct Telemetry: Hashable, Sendable {
        public var address = Endpoint(.loopback, 9927)
        public var logLevel = LogLevel.info
    }

    public struct Drain: Hashable, Sendable {
        public var delay = Duration.zero
        public var timeout = Duration.seconds(30)
    }
}
