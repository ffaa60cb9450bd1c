/// Addresses beyond ASCII where only ASCII may stand: `\x{E9}` for `é` (RFC 6533 §3).
public enum EmbeddedUnicode {
    /// The ASCII form of a `utf-8` address, which needs no further encoding in ORCPT. A control character, which no address has,
    /// becomes the replacement character: nothing that is written here can be read as one.
    public static func escape(_ address: some StringProtocol) -> String {
        address.unicodeScalars.reduce(into: "") { escaped, scalar in
            switch scalar {
            case ..<"\u{20}", "\u{7F}"..."\u{9F}":
                escaped += "\\x{FFFD}"
            case "+", "=", "\\", "\u{20}", "\u{A0}"...:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                escaped += "\\x{\(digits.count == 1 ? "0" : "")\(digits)}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
    }

    /// The address in Unicode. What stands for a control character, or for none at all, stays as it is. So does what
    /// stands for a backslash, which would make such a form of the characters behind it.
    public static func unescape(_ address: some StringProtocol) -> String {
        var plain = ""
        var rest = Substring(address)
        while let start = rest.firstRange(of: "\\x{") {
            plain += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            guard let end = rest.prefix(7).firstIndex(of: "}"), let scalar = Self.scalar(rest[..<end]),
                scalar != "\\"
            else {
                plain += "\\x{"
                continue
            }
            plain.unicodeScalars.append(scalar)
            rest = rest[rest.index(after: end)...]
        }
        return plain + rest
    }

    /// Whether every backslash begins an `EmbeddedUnicodeChar` (RFC 6533 §3) for a character that must or may be
    /// written so. That is no surrogate, none beyond Unicode, and no ASCII but that of xtext's own. Control characters
    /// are never taken, though the grammar has forms for some.
    public static func isValid(_ address: some StringProtocol) -> Bool {
        var rest = Substring(address)
        while let start = rest.firstIndex(of: "\\") {
            rest = rest[start...]
            guard rest.hasPrefix("\\x{"), let end = rest.prefix(10).firstIndex(of: "}") else { return false }
            let digits = rest[rest.index(start, offsetBy: 3)..<end]
            guard (2...6).contains(digits.utf8.count), digits.utf8.count == 2 || digits.first != "0",
                let scalar = Self.scalar(digits), !scalar.isASCII || ["+", "=", "\\", " "].contains(scalar)
            else { return false }
            rest = rest[rest.index(after: end)...]
        }
        return true
    }

    private static func scalar(_ digits: Substring) -> Unicode.Scalar? {
        guard digits.utf8.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let value = UInt32(digits, radix: 16), value >= 0x20, !(0x7F...0x9F).contains(value)
        else { return nil }
        return Unicode.Scalar(value)
    }
}
