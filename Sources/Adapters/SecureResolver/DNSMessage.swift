import MailModel

/// The parts of a DNS response packet that answering needs (RFC 1035 §4), read with bounds on everything.
struct DNSMessage: Equatable {
    /// One resource record of the answer or authority section.
    struct Record: Equatable {
        var owner: WireName
        var type: UInt16
        var timeToLive: UInt32
        /// RDATA as it came.
        var data: ArraySlice<UInt8>
        /// The name that RDATA of CNAME, DNAME, MX or SOA begins or ends with, already decompressed.
        var target: WireName?
    }

    /// A response that breaks RFC 1035; the text is for people.
    struct Malformed: Error, Equatable {
        let reason: String
    }

    var answers: [Record] = []
    var authority: [Record] = []

    /// Reads a whole packet. Sections after authority are not looked at.
    init(packet: [UInt8]) throws(Malformed) {
        var reader = WireReader(bytes: packet)
        try reader.skip(4)
        let questions = try reader.uint16()
        let answers = try reader.uint16()
        let authority = try reader.uint16()
        try reader.skip(2)
        for _ in 0..<questions {
            _ = try reader.name()
            try reader.skip(4)
        }
        // A count is a claim: reading ends with an error at the end of the packet, whatever the count says.
        for _ in 0..<answers { self.answers.append(try reader.record()) }
        for _ in 0..<authority { self.authority.append(try reader.record()) }
    }
}

/// A domain name in uncompressed wire form and lower case, so that equal names have equal bytes.
struct WireName: Hashable {
    let bytes: [UInt8]

    /// The wire form of a name.
    init(_ name: DomainName) {
        self.bytes = name.labels.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    fileprivate init(bytes: [UInt8]) { self.bytes = bytes }

    /// The name that `data` begins with, which may not be compressed; `nil` where it ends early or is too long.
    init?(uncompressed data: ArraySlice<UInt8>) {
        var name: [UInt8] = []
        var rest = data
        while let length = rest.popFirst() {
            name.append(length)
            guard length != 0 else {
                self.bytes = name
                return
            }
            guard length < 64, rest.count >= Int(length), name.count + Int(length) < 255 else { return nil }
            name += rest.prefix(Int(length)).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
            rest = rest.dropFirst(Int(length))
        }
        return nil
    }

    /// Whether this is the root.
    var isRoot: Bool { self.bytes == [0] }

    /// The name one label up; `nil` for the root.
    var parent: WireName? {
        self.isRoot ? nil : WireName(bytes: Array(self.bytes.dropFirst(Int(self.bytes[0]) + 1)))
    }

    /// Whether this is a name below `zone`, and not `zone` itself.
    func isBelow(_ zone: WireName) -> Bool {
        var above = self.parent
        while let name = above {
            if name == zone { return true }
            above = name.parent
        }
        return false
    }

    /// The name as text; `nil` for the root and for labels with bytes that no host or service name has.
    var domainName: DomainName? {
        var text: [UInt8] = []
        var index = 0
        while self.bytes[index] != 0 {
            let label = self.bytes[(index + 1)...(index + Int(self.bytes[index]))]
            // A dot inside a label is no separator: such a name must not turn into another one.
            guard !label.contains(UInt8(ascii: ".")) else { return nil }
            text += label + [UInt8(ascii: ".")]
            index += label.count + 1
        }
        return DomainName(String(decoding: text, as: UTF8.self))
    }
}

/// Reads a packet from front to back; each read fails rather than go beyond the end.
private struct WireReader {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func skip(_ count: Int) throws(DNSMessage.Malformed) { _ = try self.take(count) }

    mutating func take(_ count: Int) throws(DNSMessage.Malformed) -> ArraySlice<UInt8> {
        guard count <= self.bytes.count - self.position else { throw .init(reason: "the packet ends early") }
        defer { self.position += count }
        return self.bytes[self.position..<(self.position + count)]
    }

    mutating func uint16() throws(DNSMessage.Malformed) -> UInt16 {
        try self.take(2).reduce(0) { $0 << 8 | UInt16($1) }
    }

    mutating func uint32() throws(DNSMessage.Malformed) -> UInt32 {
        try self.take(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A possibly compressed name. Each pointer must lead further back than the last one, so there are no loops.
    mutating func name() throws(DNSMessage.Malformed) -> WireName {
        var name: [UInt8] = []
        var end: Int?
        var earliest = self.position
        while true {
            let length = Int(try self.take(1).reduce(0) { $1 + $0 })
            switch length {
            case 0:
                self.position = end ?? self.position
                return WireName(bytes: name + [0])
            case 1...63:
                name.append(UInt8(length))
                name += try self.take(length).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
                guard name.count < 255 else { throw .init(reason: "a name is longer than 255 bytes") }
            case 0xC0...0xFF:
                let low = Int(try self.take(1).reduce(0) { $1 + $0 })
                let pointer = (length & 0x3F) << 8 | low
                guard pointer < earliest else { throw .init(reason: "a compression pointer leads forward") }
                end = end ?? self.position
                (earliest, self.position) = (pointer, pointer)
            default:
                throw .init(reason: "a label of an unknown kind")
            }
        }
    }

    mutating func record() throws(DNSMessage.Malformed) -> DNSMessage.Record {
        let owner = try self.name()
        let type = try self.uint16()
        try self.skip(2)
        let timeToLive = try self.uint32()
        let length = Int(try self.uint16())
        let start = self.position
        let data = try self.take(length)
        let end = self.position
        var record = DNSMessage.Record(owner: owner, type: type, timeToLive: timeToLive, data: data)
        if let offset = Self.nameOffset(type) {
            guard offset < length else { throw .init(reason: "RDATA of type \(type) is too short") }
            self.position = start + offset
            record.target = try self.name()
            guard self.position <= end, type == DNSType.soa || self.position == end else {
                throw .init(reason: "RDATA of type \(type) has the wrong length")
            }
            self.position = end
        }
        return record
    }

    private static func nameOffset(_ type: UInt16) -> Int? {
        switch type {
        case DNSType.cname, DNSType.dname, DNSType.soa: 0
        case DNSType.mx: 2
        default: nil
        }
    }
}

/// The type numbers that are read here but never asked for by route planning.
enum DNSType {
    static let ns: UInt16 = 2
    static let cname: UInt16 = 5
    static let soa: UInt16 = 6
    static let mx: UInt16 = 15
    static let dname: UInt16 = 39
    static let rrsig: UInt16 = 46
    static let nsec: UInt16 = 47
    static let nsec3: UInt16 = 50
}
