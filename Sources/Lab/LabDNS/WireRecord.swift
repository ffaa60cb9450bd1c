/// A record as it goes over the wire, uncompressed and in the canonical form that signatures are made over (RFC 4034 §6.2).
public struct WireRecord: Hashable, Sendable {
    /// Numbers of types that the lab's own name server answers with.
    public enum Kind {
        public static let a: UInt16 = 1
        public static let ns: UInt16 = 2
        public static let cname: UInt16 = 5
        public static let soa: UInt16 = 6
        public static let txt: UInt16 = 16
        public static let dname: UInt16 = 39
        public static let ds: UInt16 = 43
        public static let rrsig: UInt16 = 46
        public static let dnskey: UInt16 = 48
        public static let nsec3: UInt16 = 50
        public static let tlsa: UInt16 = 52
    }

    /// In lower case, without trailing dot.
    public var owner: String
    /// The type's number.
    public var type: UInt16
    /// In seconds.
    public var timeToLive: UInt32
    /// RDATA.
    public var data: [UInt8]

    /// Any record.
    public init(_ owner: String, _ type: UInt16, _ data: [UInt8], timeToLive: UInt32 = 300) {
        self.owner = owner
        self.type = type
        self.timeToLive = timeToLive
        self.data = data
    }

    /// An IPv4 address of four bytes.
    public static func a(_ owner: String, _ address: [UInt8] = [192, 0, 2, 1]) -> WireRecord {
        WireRecord(owner, Kind.a, address)
    }

    /// A record whose data is one name: CNAME, DNAME, NS.
    public static func name(_ owner: String, _ type: UInt16, _ target: String) -> WireRecord {
        WireRecord(owner, type, Self.wire(target))
    }

    /// The start of a zone, with a negative TTL of a minute.
    public static func soa(_ zone: String) -> WireRecord {
        let names = Self.wire("ns.\(zone)") + Self.wire("lab.\(zone)")
        return WireRecord(zone, Kind.soa, names + [1, 3600, 600, 86_400, 60].flatMap { UInt32($0).bytes })
    }

    /// A denial of names between two hashes, for which there are these types (RFC 5155 §3). The owner's hash stands for
    /// itself; whether it is anybody's is up to the caller.
    public static func nsec3(
        _ zone: String, hash: [UInt8], next: [UInt8], salt: [UInt8], iterations: UInt16 = 0, types: [UInt16] = [1]
    ) -> WireRecord {
        var bitmap = [UInt8](repeating: 0, count: 32)
        for type in types { bitmap[Int(type / 8)] |= 0x80 >> UInt8(type % 8) }
        while bitmap.last == 0 { bitmap.removeLast() }
        let parameters = [1, 0] + iterations.bytes + [UInt8(salt.count)] + salt
        return WireRecord(
            "\(Self.base32(hash)).\(zone)", Kind.nsec3,
            parameters + [UInt8(next.count)] + next + [0, UInt8(bitmap.count)] + bitmap)
    }

    /// Owner, type, class, TTL, length and data.
    public var bytes: [UInt8] {
        Self.wire(self.owner) + self.type.bytes + [0, 1] + self.timeToLive.bytes + UInt16(self.data.count).bytes
            + self.data
    }

    /// A name's labels with their lengths; no escapes.
    public static func wire(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    /// Base 32 with the extended hex alphabet, without padding (RFC 4648 §7). The bytes come in groups of five.
    private static func base32(_ bytes: [UInt8]) -> String {
        let alphabet = Array("0123456789abcdefghijklmnopqrstuv")
        let bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
        return String(
            stride(from: 0, to: bits.count, by: 5).map { start in
                alphabet[bits[start..<min(start + 5, bits.count)].reduce(0) { $0 << 1 | Int($1) }]
            })
    }
}

extension FixedWidthInteger {
    /// In network order.
    var bytes: [UInt8] {
        stride(from: Self.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> $0) }
    }
}
