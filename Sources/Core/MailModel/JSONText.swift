/// Text as JSON writes it (RFC 8259 §7). In double quotes YAML reads the same.
public enum JSONText {
    /// The text in double quotes.
    ///
    /// - Parameter limit: the most bytes of it; what is longer is cut, and ends with `…`.
    public static func quoted(_ text: String, atMost limit: Int = .max) -> String {
        var quoted = "\""
        var length = 0
        for scalar in text.unicodeScalars {
            length += UTF8.width(scalar)
            guard length <= limit else { return quoted + "…\"" }
            Self.append(scalar, to: &quoted)
        }
        return quoted + "\""
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
