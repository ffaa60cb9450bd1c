/// The encoding of ENVID and ORCPT values on the wire (RFC 3461 §4): printable ASCII but `+` and `=`, all else as `+HH`.
public enum XText {
    /// Decodes a value. It is `nil` where the value is malformed, empty, or stands for anything but printable ASCII and
    /// spaces, such as `+00`. Reports show what is decoded here.
    public static func decode(_ text: some StringProtocol) -> String? {
        guard let bytes = Self.bytes(of: text), bytes.allSatisfy({ (0x20...0x7e).contains($0) }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Decodes a value that stands for UTF-8 without control characters; `nil` for any other.
    static func decodeUnicode(_ text: some StringProtocol) -> String? {
        guard let bytes = Self.bytes(of: text), let decoded = String(validating: bytes, as: UTF8.self),
            decoded.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
        else { return nil }
        return decoded
    }

    /// The bytes that a value stands for, at least one; `nil` where it is malformed.
    private static func bytes(of text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"):
                guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit)
                else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "="): return nil
            case 0x21...0x7e: bytes.append(byte)
            default: return nil
            }
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Encodes a value for the wire.
    public static func encode(_ text: some StringProtocol) -> String {
        text.utf8.reduce(into: "") { encoded, byte in
            switch byte {
            case UInt8(ascii: "+"), UInt8(ascii: "="), ...0x20, 0x7f...:
                encoded += (byte < 16 ? "+0" : "+") + String(byte, radix: 16, uppercase: true)
            default: encoded.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
    }

    /// Upper case only, as the grammar has it.
    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
