/// A question as a resolver sends it (RFC 1035 §4.1), with EDNS behind it.
public struct DNSQuery: Sendable {
    /// Where a question came from, and a reply goes to.
    public enum Transport: Hashable, Sendable, CaseIterable {
        /// One datagram each.
        case udp
        /// Two bytes of length before each message (RFC 1035 §4.2.2).
        case tcp
    }

    /// What a reply says besides its records.
    public struct Flags: OptionSet, Sendable {
        /// The bits as they stand in the header.
        public let rawValue: UInt16
        /// Bits of the header.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// Authoritative.
        public static let authoritative = Flags(rawValue: 0x0400)
        /// More than fits into a datagram.
        public static let truncated = Flags(rawValue: 0x0200)
    }

    private let identifier: ArraySlice<UInt8>
    private let question: ArraySlice<UInt8>
    /// The name asked for in lower case, without trailing dot; empty for the root.
    public let name: String
    /// The type asked for.
    public let type: UInt16

    /// The labels of the name, the leftmost first.
    public var labels: [String] { self.name.split(separator: ".").map(String.init) }

    /// Reads a query; `nil` where it holds no whole question.
    init?(_ packet: [UInt8]) {
        guard packet.count > 12 else { return nil }
        var labels: [String] = []
        var index = 12
        while index < packet.count, packet[index] != 0 {
            let end = index + 1 + Int(packet[index])
            guard end < packet.count else { return nil }
            labels.append(String(decoding: packet[(index + 1)..<end], as: UTF8.self).lowercased())
            index = end
        }
        guard index + 5 <= packet.count else { return nil }
        self.identifier = packet[..<2]
        self.question = packet[12..<(index + 5)]
        self.name = labels.joined(separator: ".")
        self.type = UInt16(packet[index + 1]) << 8 | UInt16(packet[index + 2])
    }

    /// Whether the name is `zone` or below it.
    public func isIn(_ zone: String) -> Bool { self.name == zone || self.name.hasSuffix("." + zone) }

    /// A reply with these records, and EDNS behind them.
    public func reply(
        _ answers: [WireRecord] = [], authority: [WireRecord] = [], additional: [WireRecord] = [], code: UInt8 = 0,
        flags: Flags = .authoritative
    ) -> [UInt8] {
        let head: UInt16 = 0x8000 | 0x0100 | 0x0080 | flags.rawValue | UInt16(code & 0xF)
        let counts = [1, answers.count, authority.count, additional.count + 1].flatMap { UInt16($0).bytes }
        let edns: [UInt8] = [0, 0, 41, 4, 0xD0, 0, 0, 0x80, 0, 0, 0]
        return Array(self.identifier) + head.bytes + counts + Array(self.question)
            + (answers + authority + additional).flatMap(\.bytes) + edns
    }
}
