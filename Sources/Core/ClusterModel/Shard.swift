public import MailModel

/// One slice of the queue: the unit that a node leases and owns alone.
public struct Shard: RawRepresentable, Hashable, Comparable, Sendable {
    /// 0 up to the number of shards.
    public let rawValue: Int16

    /// The shard of this number.
    public init(rawValue: Int16) { self.rawValue = rawValue }

    /// By number.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension Shard: CustomStringConvertible {
    public var description: String { String(self.rawValue) }
}

/// Which shard the mail for a domain goes to.
///
/// `shard = hash(domain, hash(message id) mod fanout(domain)) mod N`. N is a power of two and fixed when the queue is
/// created. The fanout of a domain is 1, so that one owner sees all of its mail, unless the domain is hot. A change of
/// fanout concerns new mail only, because every entry has its shard stored with it.
public struct ShardMap: Hashable, Sendable {
    /// The number of shards of a queue that was created without saying.
    public static let defaultCount = 64
    /// The most shards that a queue may have.
    public static let maximumCount = 4096

    /// The number of shards, a power of two.
    public let count: Int
    /// How many shards each hot domain is spread over; a domain not listed has one.
    public let fanout: [DomainName: Int]

    /// A map over `count` shards; `nil` unless that is a power of two from 1 to `maximumCount`.
    public init?(count: Int = Self.defaultCount, fanout: [DomainName: Int] = [:]) {
        guard (1...Self.maximumCount).contains(count), count.nonzeroBitCount == 1 else { return nil }
        self.count = count
        self.fanout = fanout
    }

    /// All shards, in order.
    public var shards: [Shard] { (0..<self.count).map { Shard(rawValue: Int16($0)) } }

    /// The shard of one message's entry for one recipient domain.
    public func shard(for domain: DomainName, message: MessageID) -> Shard {
        let slices = UInt64(max(1, min(self.fanout[domain] ?? 1, self.count)))
        var slice = StableHash()
        slice.combine(message.high)
        slice.combine(message.low)
        var hash = StableHash()
        hash.combine(domain.text.utf8)
        hash.combine(slice.value % slices)
        return Shard(rawValue: Int16(hash.value & UInt64(self.count - 1)))
    }
}

/// A hash that is the same in every process, version and machine: 64-bit FNV-1a, its halves folded together.
///
/// Swift's own `Hasher` is seeded anew in every process, so it cannot decide where stored data lives.
struct StableHash {
    /// FNV-1a of the bytes so far.
    private(set) var state: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func combine(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { self.state = (self.state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }

    /// The eight bytes of a number, the lowest first.
    mutating func combine(_ number: UInt64) {
        self.combine((0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
    }

    /// The low bits of FNV-1a depend on little of the input; folding brings the high ones in.
    var value: UInt64 { self.state ^ self.state >> 32 }
}
