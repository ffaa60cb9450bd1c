/// The header section at the beginning of a message, line by line (RFC 5322 §2.2).
struct HeaderSection {
    /// The most bytes that are looked at.
    static let maximumLength = 64 * 1024

    /// The lines without their ends, up to the empty line or as far as there are whole ones.
    let lines: [ArraySlice<UInt8>]

    init(of content: [UInt8]) {
        let looked = content.prefix(Self.maximumLength)
        let whole = looked[..<(looked.lastIndex(of: UInt8(ascii: "\n")) ?? looked.startIndex)]
        var lines: [ArraySlice<UInt8>] = []
        for line in whole.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard !text.isEmpty else { break }
            lines.append(text)
        }
        self.lines = lines
    }

    /// The lines field by field: a line that begins with white space belongs to the one before it (RFC 5322 §2.2.3).
    var fields: [ArraySlice<ArraySlice<UInt8>>] {
        var fields: [ArraySlice<ArraySlice<UInt8>>] = []
        var start = self.lines.startIndex
        for index in self.lines.indices.dropFirst() where ![0x20, 0x09].contains(self.lines[index].first) {
            fields.append(self.lines[start..<index])
            start = index
        }
        return self.lines.isEmpty ? [] : fields + [self.lines[start...]]
    }

    /// The identifier in `Message-ID`, with its angle brackets. It is `nil` where none could be quoted in a header
    /// field: printable ASCII without spaces, at most 250 bytes.
    var messageID: String? {
        let name = Array("message-id:".utf8)
        guard
            let start = self.lines.firstIndex(where: { line in
                line.count >= name.count && zip(line, name).allSatisfy { $0 == $1 || $0 | 0x20 == $1 && $1 > 0x60 }
            })
        else { return nil }
        // The identifier may stand alone on a folded line.
        let folded = self.lines[(start + 1)...].prefix { $0.first == 0x20 || $0.first == 0x09 }.prefix(2)
        let value = self.lines[start].dropFirst(name.count) + folded.joined()
        guard let open = value.firstIndex(of: UInt8(ascii: "<")), let close = value.lastIndex(of: UInt8(ascii: ">")),
            open < close
        else { return nil }
        let identifier = value[open...close]
        guard identifier.count <= 250, identifier.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        return String(decoding: identifier, as: UTF8.self)
    }
}
