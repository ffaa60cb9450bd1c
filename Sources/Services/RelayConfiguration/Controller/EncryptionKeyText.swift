/// A key of 32 bytes, written as 64 hexadecimal digits. It describes itself without them.
public struct EncryptionKeyText: Hashable, Sendable, CustomStringConvertible {
    /// Its length in bytes.
    public static let length = 32

    public let bytes: [UInt8]

    /// Reads the digits; white space does not count.
    public init?(_ text: String) {
        let digits = text.filter { !$0.isWhitespace }
        guard digits.utf8.count == 2 * Self.length, digits.allSatisfy(\.isHexDigit) else { return nil }
        let values = digits.utf8.map { UInt8(Character(Unicode.Scalar($0)).hexDigitValue ?? 0) }
        self.bytes = stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
    }

    public var description: String { "(not shown)" }
}

extension ValueSyntax {
    /// A key.
    static func encryptionKey() -> ValueSyntax where Value == EncryptionKeyText {
        .text("key of 64 hexadecimal digits") { text, _ in EncryptionKeyText(text) }
    }
}
