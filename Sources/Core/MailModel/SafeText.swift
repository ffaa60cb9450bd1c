/// Text from a peer made harmless for reports, replies and header fields.
public enum SafeText {
    /// Printable ASCII stays; every other byte, and the backslash, becomes `\xNN`; tabs become spaces.
    @inlinable
    public static func escape(_ text: some StringProtocol) -> String { self.escaped(String(text)) }

    @usableFromInline
    static func escaped(_ text: String) -> String {
        // Most text is plain: nothing of it is escaped.
        text.utf8.allSatisfy(self.isPlain) ? text : self.escaped(bytes: self.keptBytes(of: text))
    }

    private static func isPlain(_ byte: UInt8) -> Bool { (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "\\") }

    /// Text of a peer that keeps every byte. One that is no UTF-8 becomes a character of its own, U+EF80 to U+EFFF,
    /// from which `bytes(of:)` and `escape` have it back. Where these characters came themselves, their bytes are kept
    /// likewise.
    @inlinable
    public static func text(keeping bytes: some Collection<UInt8>) -> String { self.text(ofAll: Array(bytes)) }

    @usableFromInline
    static func text(ofAll bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self), !text.unicodeScalars.contains(where: \.isKeptByte) {
            return text
        }
        var text = String.UnicodeScalarView()
        var decoder = UTF8()
        var rest = bytes[...]
        while let first = rest.first {
            var iterator = rest.makeIterator()
            if case .scalarValue(let scalar) = decoder.decode(&iterator), !scalar.isKeptByte {
                text.append(scalar)
                rest = rest.dropFirst(UTF8.width(scalar))
            } else if let kept = Unicode.Scalar(0xef00 + UInt32(first)) {
                text.append(kept)
                rest = rest.dropFirst()
            }
            decoder = UTF8()
        }
        return String(text)
    }

    /// The bytes of text that may be of `text(keeping:)`.
    @inlinable
    public static func bytes(of text: some StringProtocol) -> [UInt8] { self.keptBytes(of: String(text)) }

    @usableFromInline
    static func keptBytes(of text: String) -> [UInt8] {
        guard text.unicodeScalars.contains(where: \.isKeptByte) else { return Array(text.utf8) }
        return text.unicodeScalars.flatMap { scalar in
            scalar.isKeptByte ? [UInt8(truncatingIfNeeded: scalar.value)] : Array(String(scalar).utf8)
        }
    }

    /// Makes raw bytes printable in the same manner.
    @inlinable
    public static func escape(bytes: some Sequence<UInt8>) -> String { self.escaped(bytes: Array(bytes)) }

    @usableFromInline
    static func escaped(bytes: [UInt8]) -> String {
        if bytes.allSatisfy(self.isPlain) { return String(decoding: bytes, as: UTF8.self) }
        var safe = ""
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\t"): safe.append(" ")
            case UInt8(ascii: "\\"): safe.append("\\x5C")
            case 0x20...0x7e: safe.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                safe.append("\\x" + (digits.count == 1 ? "0" : "") + digits)
            }
        }
        return safe
    }

    /// Control and non-ASCII bytes become `\xNN`; the rest, backslashes and tabs too, stays as it is.
    static func escapeNonASCII(_ bytes: some Sequence<UInt8>) -> String {
        bytes.reduce(into: "") { safe, byte in
            let stays = (0x20...0x7e).contains(byte) || byte == UInt8(ascii: "\t")
            safe += stays ? String(Unicode.Scalar(byte)) : self.escape(bytes: CollectionOfOne(byte))
        }
    }

    /// Control characters, and bytes that are no UTF-8, become `\xNN`; all other text stays as it is.
    static func escapeControls(_ bytes: some Collection<UInt8>) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { return self.escapeNonASCII(bytes) }
        return text.unicodeScalars.reduce(into: "") { safe, scalar in
            switch scalar.value {
            case 0..<0x09, 0x0a..<0x20, 0x7f...0x9f: safe += self.escape(bytes: String(scalar).utf8)
            default: safe.unicodeScalars.append(scalar)
            }
        }
    }

    /// Splits text without line ends into pieces of at most `width` bytes, at spaces where there are any and never within
    /// a character.
    static func wrap(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var rest = Array(text.utf8)[...]
        while rest.count > width {
            let window = rest.prefix(width + 1)
            var cut = window.dropFirst().lastIndex(of: UInt8(ascii: " ")) ?? rest.startIndex + width
            // The bytes 10xxxxxx belong to the character before them.
            while rest[cut] & 0xc0 == 0x80, cut > rest.startIndex + 1 { cut -= 1 }
            lines.append(String(decoding: rest[..<cut], as: UTF8.self))
            rest = rest[cut...]
            if rest.first == UInt8(ascii: " ") { rest.removeFirst() }
        }
        lines.append(String(decoding: rest, as: UTF8.self))
        return lines
    }
}

extension Unicode.Scalar {
    /// It stands for a byte of a peer's that is no text.
    fileprivate var isKeptByte: Bool { (0xef80...0xefff).contains(self.value) }
}
