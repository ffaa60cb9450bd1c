/// The names that a join token may be used for: one name, or a name with one `*` in it (control 11).
///
/// The `*` stands for any bytes, none and dots too. So `edge-*` has `edge-1` and `edge-1.example.org`.
public struct NamePattern: Hashable, Sendable {
    /// The most bytes that a pattern may have, as a host name.
    public static let maximumLength = 253

    /// The pattern as it was written.
    public let text: String
    /// What is before the `*`; all of the text if there is none.
    private let prefix: String
    /// What is behind the `*`; `nil` if there is none.
    private let suffix: String?

    /// Parses a pattern of the bytes that names have, and at most one `*`.
    public init?(_ text: String) {
        let star = UInt8(ascii: "*")
        guard (1...Self.maximumLength).contains(text.utf8.count),
            text.utf8.allSatisfy({ isNameByte($0) || $0 == star })
        else { return nil }
        let parts = text.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { return nil }
        self.text = text
        self.prefix = String(parts[0])
        self.suffix = parts.count == 2 ? String(parts[1]) : nil
    }

    /// Whether it has one name only.
    public var isExact: Bool { self.suffix == nil }

    /// Whether the name is one of the pattern's.
    public func matches(_ name: String) -> Bool {
        let bytes = name.utf8
        guard let suffix = self.suffix else { return bytes.elementsEqual(self.prefix.utf8) }
        return bytes.count >= self.prefix.utf8.count + suffix.utf8.count
            && bytes.starts(with: self.prefix.utf8) && bytes.reversed().starts(with: suffix.utf8.reversed())
    }
}

extension NamePattern: CustomStringConvertible {
    public var description: String { self.text }
}
