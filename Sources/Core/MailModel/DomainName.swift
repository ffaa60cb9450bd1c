/// A fully qualified domain name in its DNS presentation form: A-labels, lower case, no trailing dot (RFC 1035 §2.3.4).
///
/// Labels hold letters, digits, hyphens and underscores: this program looks up `_25._tcp.mx.example`. They are 1 to 63
/// bytes each, and add up to at most 253 bytes. Text in another script becomes A-labels before it gets here.
public struct DomainName: Hashable, Sendable {
    /// The most bytes that a name may have in presentation form, without the trailing dot.
    public static let maximumLength = 253

    /// The name as text, such as `mx1.example.org`.
    public let text: String

    /// Parses one name; one trailing dot is dropped. Anything that is not a name of A-labels gives `nil`.
    public init?(_ text: some StringProtocol) {
        var bytes = Array(text.utf8)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard !bytes.isEmpty, bytes.count <= Self.maximumLength else { return nil }
        var labelLength = 0
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "."):
                guard (1...63).contains(labelLength) else { return nil }
                labelLength = 0
                continue
            case UInt8(ascii: "A")...UInt8(ascii: "Z"):
                bytes[index] |= 0x20
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"):
                break
            default:
                return nil
            }
            labelLength += 1
        }
        guard (1...63).contains(labelLength) else { return nil }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// The labels from left to right.
    public var labels: [Substring] { self.text.split(separator: ".") }

    /// This name below `labels`, such as `_25._tcp` in front of a host; `nil` when the result would be too long.
    public func prefixed(by labels: String) -> DomainName? { DomainName("\(labels).\(self.text)") }
}

extension DomainName: CustomStringConvertible {
    public var description: String { self.text }
}

extension DomainName: Comparable {
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}
