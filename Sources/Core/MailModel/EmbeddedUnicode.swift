/// Addresses beyond ASCII where only ASCII may stand: `\x{E9}` for `é` (RFC 6533 §3).
public enum EmbeddedUnicode {
    /// The ASCII form of a `utf-8` address, which needs no further encoding in ORCPT.
    public static func escape(_ address: some StringProtocol) -> String {
        address.unicodeScalars.reduce(into: "") { escaped, scalar in
            switch scalar {
            case "+", "=", "\\", ..."\u{20}", "\u{7F}"...:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                escaped += "\\x{\(digits.count == 1 ? "0" : "")\(digits)}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
    }

    /// The address in Unicode. What stands for a control character, or for none at all, stays as it is.
    public static func unescape(_ address: some StringProtocol) -> String {
        var plain = ""
        var rest = Substring(address)
        while let start = rest.firstRange(of: "\\x{") {
            plain += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            guard let end = rest.prefix(7).firstIndex(of: "}"), let scalar = Self.scalar(rest[..<end]) else {
                plain += "\\x{"
                continue
            }
            plain.unicodeScalars.append(scalar)
            rest = rest[rest.index(after: end)...]
        }
        return plain + rest
    }

    private static func scalar(_ digits: Substring) -> Unicode.Scalar? {
        guard digits.utf8.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let value = UInt32(digits, radix: 16), value >= 0x20, !(0x7F...0x9F).contains(value)
        else { return nil }
        return Unicode.Scalar(value)
    }
}
