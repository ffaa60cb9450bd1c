/// Decodes quoted-printable (RFC 2045 §6.7), apart from the encoder and stricter than readers are. It throws where a
/// line is too long, ends in a blank, or holds what must be escaped.
enum QuotedPrintableReader {
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    static func decode(_ text: String) throws -> [UInt8] {
        var output: [UInt8] = []
        var lines = text.components(endedBy: "\r\n")
        let isEnded = lines.last == ""
        if isEnded { lines.removeLast() }
        for (index, line) in lines.enumerated() {
            guard line.utf8.count <= 76 else { throw Fault(description: "\(line.utf8.count) columns") }
            guard line.last != " ", line.last != "\t" else { throw Fault(description: "a blank at the end: \(line)") }
            var rest = Substring(line)
            var isSoft = false
            while let character = rest.popFirst() {
                guard character == "=" else {
                    guard let byte = character.asciiValue, (0x20...0x7e).contains(byte) || byte == 9 else {
                        throw Fault(description: "unescaped: \(character)")
                    }
                    output.append(byte)
                    continue
                }
                if rest.isEmpty {
                    isSoft = true
                    break
                }
                guard rest.count >= 2, let byte = UInt8(rest.prefix(2), radix: 16),
                    rest.prefix(2) == rest.prefix(2).uppercased()
                else { throw Fault(description: "no escape: =\(rest.prefix(2))") }
                output.append(byte)
                rest.removeFirst(2)
            }
            if !isSoft, isEnded || index < lines.count - 1 { output += "\r\n".utf8 }
        }
        return output
    }
}

extension String {
    /// What stands between the separators. (Swift takes CR LF for one character, so this goes by bytes.)
    func components(endedBy separator: String) -> [String] {
        var parts: [String] = []
        var part: [UInt8] = []
        for byte in self.utf8 {
            part.append(byte)
            if part.suffix(separator.utf8.count).elementsEqual(separator.utf8) {
                parts.append(String(decoding: part.dropLast(separator.utf8.count), as: UTF8.self))
                part = []
            }
        }
        return parts + [String(decoding: part, as: UTF8.self)]
    }
}
