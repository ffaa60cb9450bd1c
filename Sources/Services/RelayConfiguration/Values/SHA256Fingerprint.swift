/// The SHA-256 of a certificate or of its public key, as `openssl x509 -fingerprint -sha256` prints it.
public struct SHA256Fingerprint: Hashable, Sendable {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// Reads 64 hexadecimal digits, in either case, with a colon between the bytes or nothing.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        let digits = bytes.contains(UInt8(ascii: ":")) ? Self.digits(between: bytes) : bytes
        let values = (digits ?? []).compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard values.count == 64, values.count == digits?.count else { return nil }
        self.bytes = stride(from: 0, to: 64, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }

    /// The digits of a text with a colon between every two of them.
    private static func digits(between text: [UInt8]) -> [UInt8]? {
        let pairs = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        return pairs.allSatisfy { $0.count == 2 } ? Array(pairs.joined()) : nil
    }
}

extension SHA256Fingerprint: CustomStringConvertible {
    public var description: String {
        self.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
