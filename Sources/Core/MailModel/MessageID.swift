/// The identity of one accepted message: 48 bits of Unix time in milliseconds, then 80 random bits.
///
/// The node makes it before the message is stored, so an ambiguous COMMIT can be repeated with the same id. Its text
/// form is 26 characters of Crockford's base 32, so ids sort by time; it is also the trace id that operators search for.
public struct MessageID: Hashable, Sendable {
    /// The 128 bits, the high half first.
    public let high: UInt64
    /// The low half: all random.
    public let low: UInt64

    /// Rebuilds an id from its two halves, as stored.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new id of this instant (1970 if it is earlier than that) with the low 80 of these bits.
    public init(at instant: Timestamp, random bits: UInt128) {
        let milliseconds = UInt64(max(0, instant.microseconds / 1000))
        self.init(
            high: milliseconds << 16 | UInt64(UInt16(truncatingIfNeeded: bits >> 64)),
            low: UInt64(truncatingIfNeeded: bits))
    }

    /// When the id was made, in milliseconds since 1970 UTC.
    public var milliseconds: UInt64 { self.high >> 16 }
}

extension MessageID: CustomStringConvertible {
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    /// Reads the 26-character form, in either case.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 26 else { return nil }
        var value: UInt128 = 0
        for (index, byte) in text.utf8.enumerated() {
            let upper = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) ? byte & ~0x20 : byte
            // 26 characters hold 130 bits: the first may use only three of its five.
            guard let digit = Self.alphabet.firstIndex(of: upper), index > 0 || digit < 8 else { return nil }
            value = value << 5 | UInt128(digit)
        }
        self.init(high: UInt64(truncatingIfNeeded: value >> 64), low: UInt64(truncatingIfNeeded: value))
    }

    /// Reads the form of a UUID, 32 hexadecimal digits with or without hyphens, as tables of the database show it.
    public init?(uuid text: some StringProtocol) {
        let isHyphenated = text.utf8.count == 36
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard isHyphenated ? parts.map(\.utf8.count) == [8, 4, 4, 4, 12] : parts.count == 1 else { return nil }
        let digits = parts.joined()
        guard digits.utf8.count == 32, digits.allSatisfy(\.isHexDigit), let value = UInt128(digits, radix: 16) else {
            return nil
        }
        self.init(high: UInt64(truncatingIfNeeded: value >> 64), low: UInt64(truncatingIfNeeded: value))
    }

    public var description: String {
        let value = UInt128(self.high) << 64 | UInt128(self.low)
        let digits = (0..<26).map { Self.alphabet[Int(truncatingIfNeeded: value >> (125 - 5 * $0)) & 31] }
        return String(decoding: digits, as: UTF8.self)
    }
}
