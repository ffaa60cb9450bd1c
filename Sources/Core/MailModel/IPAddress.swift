/// An IPv4 or IPv6 address in network byte order.
public enum IPAddress: Hashable, Sendable {
    /// Four bytes.
    case v4(UInt32)
    /// Sixteen bytes, the high half first.
    case v6(UInt64, UInt64)

    /// The address as 4 or 16 bytes in network order.
    public var bytes: [UInt8] {
        switch self {
        case .v4(let value): Self.bigEndianBytes(value)
        case .v6(let high, let low): Self.bigEndianBytes(high) + Self.bigEndianBytes(low)
        }
    }

    /// Reads 4 or 16 bytes in network order, as in the RDATA of A and AAAA; any other count gives `nil`.
    public init?(bytes: some Collection<UInt8>) {
        func integer<T: FixedWidthInteger>(_ part: some Sequence<UInt8>) -> T {
            part.reduce(0) { $0 << 8 | T(truncatingIfNeeded: $1) }
        }
        switch bytes.count {
        case 4: self = .v4(integer(bytes))
        case 16: self = .v6(integer(bytes.prefix(8)), integer(bytes.dropFirst(8)))
        default: return nil
        }
    }

    private static func bigEndianBytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

// MARK: - Text

extension IPAddress: CustomStringConvertible {
    /// Reads `192.0.2.1` or an RFC 4291 §2.2 form such as `2001:db8::1` or `::ffff:192.0.2.1`.
    public init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let groups = Self.groups(text) else { return nil }
            let halves = [groups[..<4], groups[4...]].map { $0.reduce(UInt64(0)) { $0 << 16 | UInt64($1) } }
            self = .v6(halves[0], halves[1])
        } else {
            guard let value = Self.dottedQuad(text) else { return nil }
            self = .v4(value)
        }
    }

    /// The canonical text form (RFC 5952 §4).
    public var description: String {
        let bytes = self.bytes
        if case .v4 = self { return bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        let run = Self.longestZeroRun(groups)
        func hexadecimal(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard run.count > 1 else { return hexadecimal(groups[...]) }
        return hexadecimal(groups[..<run.lowerBound]) + "::" + hexadecimal(groups[run.upperBound...])
    }

    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for index in groups.indices {
            if groups[index] != 0 {
                start = index + 1
            } else if index + 1 - start > best.count {
                best = start..<(index + 1)
            }
        }
        return best
    }

    private static func dottedQuad(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            let digits = part.utf8
            guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
                digits.count == 1 || digits.first != 0x30, let byte = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }

    /// The eight 16-bit groups of an IPv6 text form.
    private static func groups(_ text: some StringProtocol) -> [UInt16]? {
        let sides = String(text).split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
        guard sides.count <= 2, let head = Self.groupList(sides[0], mayEndInQuad: sides.count == 1) else { return nil }
        guard sides.count == 2 else { return head.count == 8 ? head : nil }
        guard let tail = Self.groupList(sides[1], mayEndInQuad: true), head.count + tail.count <= 7 else { return nil }
        return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    private static func groupList(_ text: Substring, mayEndInQuad: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part.utf8.contains(UInt8(ascii: ".")) {
                guard mayEndInQuad, index == parts.count - 1, let quad = Self.dottedQuad(part) else { return nil }
                groups += [UInt16(truncatingIfNeeded: quad >> 16), UInt16(truncatingIfNeeded: quad)]
            } else {
                guard (1...4).contains(part.utf8.count), part.utf8.first != UInt8(ascii: "+"),
                    part.utf8.first != UInt8(ascii: "-"), let group = UInt16(part, radix: 16)
                else { return nil }
                groups.append(group)
            }
        }
        return groups.count <= 8 ? groups : nil
    }
}
