/// Values of `-bin` metadata: base64, taken with and without padding, sent without (control 18).
enum BinaryValue {
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let bits = part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - part.count))
            for place in 0...part.count { text.append(Self.alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)]) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of one value; `nil` where it is not base64.
    static func decode(_ value: some StringProtocol) -> [UInt8]? {
        var digits = Array(value.utf8)
        // Padding fills the last four digits, or is not there at all.
        if digits.count % 4 == 0 {
            for _ in 0..<2 where digits.last == Self.pad { digits.removeLast() }
        }
        guard digits.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count * 3 / 4)
        var bits: UInt32 = 0
        for (index, digit) in digits.enumerated() {
            let value = Self.values[Int(digit)]
            guard value < 64 else { return nil }
            bits = bits << 6 | UInt32(value)
            if index % 4 != 0 { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(6 - 2 * (index % 4)))) }
        }
        return bytes
    }

    /// The values of one field, which may join several by commas; `nil` where one is not base64.
    static func decodeAll(_ field: String) -> [[UInt8]]? {
        var values: [[UInt8]] = []
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            var value = part.drop { $0 == " " }
            while value.last == " " { value.removeLast() }
            guard let bytes = Self.decode(value) else { return nil }
            values.append(bytes)
        }
        return values
    }

    private static let pad = UInt8(ascii: "=")
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, digit) in Self.alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }()
}
