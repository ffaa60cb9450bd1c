/// A host with a port behind it, as text.
enum HostPort {
    /// Splits at the last colon that is not within brackets.
    static func split(_ text: String, defaultPort: UInt16?) -> (Substring, UInt16)? {
        guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") else {
            return defaultPort.map { (text[...], $0) }
        }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
        else { return nil }
        return (text[..<colon], port)
    }
}
