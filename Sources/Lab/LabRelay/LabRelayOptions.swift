public import Foundation
public import LabDNS
public import LabDatabase
public import LabSupport

/// What a `LabRelay` may be asked for.
public struct LabRelayOptions: Sendable {
    /// What a crash of the machine may cost the database.
    public var durability = PrivatePostgres.Durability.relaxed
    /// Gives the database's data and write-ahead log small disks of their own.
    public var disks: PrivateDisks.Sizes?
    /// The folder of another database server, for relay and lab to use when the first one takes no writes.
    public var standbyFolder: URL?
    /// Shards of the queue: few, since each takes work to own.
    public var shards = 4
    /// Whether relayd has domains, users and certificates from a controller, which the lab starts, and not from its settings.
    public var followsController = false
    /// Settings of relayd by whole key, with the whole value in YAML, such as `["retry.schedule": "[1s, 2s]"]`.
    public var settings: [String: String] = [:]
    /// More zones of the Internet, such as those of a domain whose MX host is not one of the lab's peers.
    public var zones: [LabZone] = []
    /// Where the relay takes mail; an unused port unless given.
    public var smtpPort: UInt16?
    /// The port of all MX hosts; an unused one unless given.
    public var deliveryPort: UInt16?
    /// Where all files go; a temporary folder unless given.
    public var folder: LabFolder?
    /// The program; the one beside the running program unless given.
    public var relayd: URL?
    /// What stands in relayd's environment beside this program's own, such as `FakeClock.environment`.
    public var environment: [String: String] = [:]
    /// Whether relayd is started at once.
    public var startsRelayd = true
    /// Told of each step when it is done.
    public var progress: @Sendable (LabRelayStep) -> Void = { _ in }

    /// For tests: fast, on unused ports, in a temporary folder.
    public init() {}
}

/// A step of the start of a `LabRelay` that is done.
public enum LabRelayStep: Sendable {
    /// The database server runs: its version as it says itself, and the time that it took.
    case database(version: String, Duration)
    /// The name servers answer for these zones.
    case nameServers(zones: [LabZone], Duration)
    /// The MX hosts listen.
    case peers(count: Int, Duration)
    /// The schema is there.
    case schema(Duration)
    /// A controller serves, and its administrator is logged in.
    case controller(Duration)
    /// The relay says that it is ready.
    case relay(Duration)
}
