/// One zone of a `SignedInternet`: a name, how it is signed or broken, and its records.
public struct LabZone: Sendable {
    /// What holds for the whole zone.
    public enum Condition: Hashable, Sendable {
        /// Signed, with a right DS record at the parent.
        case signed
        /// Not signed, and the parent proves that: insecure.
        case unsigned
        /// Signed, but the DS record at the parent names another key: bogus.
        case wrongDelegationSigner
        /// Signed, with DS records at the parent by digests of these types (RFC 4034 §5.1.3), some right and some wrong.
        case digests(right: [UInt8], wrong: [UInt8] = [])
        /// Signed by one algorithm, with a DS record at the parent for a key of another, too, that the zone does not
        /// have yet. A parent shows this in the midst of a liberal rollover of algorithms (RFC 6781 §4.1.4).
        case algorithmRollover(to: UInt8)
        /// Signed by keys whose signatures end so long after the start; a negative time gives expired ones: bogus.
        case signaturesEnd(after: Duration)
        /// Signed, and denials are proven by names hashed so many times more than once (NSEC3, RFC 5155). With `optOut`
        /// unsigned delegations are left out, so that no denial rules one out.
        case hashedDenial(iterations: UInt16, optOut: Bool = false)
        /// Signed so that a validator which tries every signature with every key has no time left (CVE-2023-50387): bogus.
        case keyTrap(keys: Int, signatures: Int)
        /// Signed and in good order, but the server cannot load it and answers SERVFAIL.
        case serverFailure
    }

    /// Its name, without the trailing dot.
    public var name: String
    /// Signed, or how it is broken.
    public var condition: Condition
    /// Its records besides SOA, NS and DNSSEC's own.
    public var records: [LabRecord]
    /// The TTL of its records in seconds, unless a record has its own.
    public var defaultTTL: UInt32
    /// The negative TTL in seconds: the last field of the SOA record and its own TTL.
    public var negativeTTL: UInt32

    /// A zone.
    public init(
        _ name: String, _ condition: Condition = .signed, _ records: [LabRecord] = [], defaultTTL: UInt32 = 300,
        negativeTTL: UInt32 = 60
    ) {
        self.name = name
        self.condition = condition
        self.records = records
        self.defaultTTL = defaultTTL
        self.negativeTTL = negativeTTL
    }

    /// A signed zone.
    public init(_ name: String, _ records: [LabRecord]) { self.init(name, .signed, records) }
}

/// One record of a lab zone. All names are whole names; a trailing dot is optional.
public struct LabRecord: Hashable, Sendable {
    /// The owner; empty for the zone itself.
    public var owner: String
    /// The type's name, such as `MX`.
    public var type: String
    /// RDATA as a zone file writes it.
    public var data: String
    /// Its own TTL in seconds.
    public var timeToLive: UInt32?

    /// Any record; `owner` empty means the zone's own name.
    public init(_ owner: String, _ type: String, _ data: String, timeToLive: UInt32? = nil) {
        self.owner = owner
        self.type = type
        self.data = data
        self.timeToLive = timeToLive
    }
}

extension LabRecord {
    /// A mail exchanger of `owner`, or of the zone itself.
    public static func mx(_ exchange: String, preference: UInt16 = 10, owner: String = "") -> LabRecord {
        LabRecord(owner, "MX", "\(preference) \(absolute(exchange))")
    }

    /// The null MX: the domain takes no mail (RFC 7505).
    public static func nullMX(owner: String = "") -> LabRecord { LabRecord(owner, "MX", "0 .") }

    /// An IPv4 address.
    public static func a(_ owner: String, _ address: String) -> LabRecord { LabRecord(owner, "A", address) }

    /// An IPv6 address.
    public static func aaaa(_ owner: String, _ address: String) -> LabRecord { LabRecord(owner, "AAAA", address) }

    /// A TLSA record for `port` of `host` over TCP.
    public static func tlsa(
        _ host: String, port: UInt16 = 25, _ usage: UInt8, _ selector: UInt8, _ matchingType: UInt8, _ data: [UInt8]
    ) -> LabRecord {
        let digits = data.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return LabRecord("_\(port)._tcp.\(host)", "TLSA", "\(usage) \(selector) \(matchingType) \(digits)")
    }

    /// An alias for one name.
    public static func cname(_ owner: String, _ target: String) -> LabRecord {
        LabRecord(owner, "CNAME", absolute(target))
    }

    /// An alias for everything below a name.
    public static func dname(_ owner: String, _ target: String) -> LabRecord {
        LabRecord(owner, "DNAME", absolute(target))
    }

    /// `name` with exactly one trailing dot.
    static func absolute(_ name: String) -> String { name.hasSuffix(".") ? name : name + "." }
}
