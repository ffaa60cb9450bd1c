/// Text as JSON writes it (RFC 8259 §7). In double quotes YAML reads the same.
public enum JSONText {
    /// The text in double quotes.
    ///
    /// - Parameter limit: the most bytes of it; what is longer is cut, and ends with `…`.
    public static func quoted(_ text: String, atMost limit: Int = .max) -> String {
        var quoted = ""
        Self.append(quoted: text, atMost: limit, to: &quoted)
        return quoted
    }

    /// Appends the text in double quotes to a line.
    ///
    /// - Parameter limit: the most bytes of it; what is longer is cut, and ends with `…`.
    public static func append(quoted text: String, atMost limit: Int = .max, to line: inout String) {
        line += "\""
        // Most texts are plain, and short.
        if text.utf8.count <= limit, text.utf8.allSatisfy(Self.isPlain) {
            line += text
        } else {
            Self.append(escaped: text, atMost: limit, to: &line)
        }
        line += "\""
    }

    private static func append(escaped text: String, atMost limit: Int, to line: inout String) {
        var length = 0
        for scalar in text.unicodeScalars {
            length += UTF8.width(scalar)
            guard length <= limit else {
                line += "…"
                return
            }
            Self.append(scalar, to: &line)
        }
    }

    /// ASCII that stands for itself.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// JSON wants C0 escaped. DEL, C1 and the line separators are escaped too, because terminals and readers obey them.
    private static func append(_ scalar: Unicode.Scalar, to text: inout String) {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "\0"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}":
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }
}
