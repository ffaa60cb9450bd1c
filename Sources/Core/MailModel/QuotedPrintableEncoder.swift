/// Writes the content of one body part as quoted-printable (RFC 2045 §6.7), line by line.
///
/// No line that it writes begins with `--`, so encoded content is never taken for a delimiter of multipart (RFC 2046 §5.1.1). None begins
/// with a dot or with `From `, either, which some hosts treat in a way of their own (RFC 2049 §3).
struct QuotedPrintableEncoder: Hashable, Sendable {
    /// Characters of a line without the `=` of a soft break (§6.7 rule 5).
    private static let columns = 75
    private static let digits = Array("0123456789ABCDEF".utf8)
    private static let fromLine = Array("From ".utf8)

    /// Line ends of text are line ends. Those of other content are bytes like any others (§6.7 rule 4).
    private let isText: Bool
    private var column = 0
    /// The last line end, where it is content unless it turns out to belong to the delimiter behind it (RFC 2046 §5.1.1).
    private var owesLineEnd = false

    init(isText: Bool) { self.isText = isText }

    /// Appends a line, which ends in CRLF.
    mutating func encode(_ line: [UInt8], into output: inout [UInt8]) {
        if self.owesLineEnd {
            for byte in ContentLines.crlf { self.escape(byte, &output) }
            self.breakSoftly(&output)
        }
        let text = line.dropLast(ContentLines.crlf.count)
        for index in text.indices { self.write(text[index...], &output) }
        if self.isText { self.endLine(&output) } else { self.owesLineEnd = true }
    }

    /// Appends what is left at the end of the part.
    mutating func finish(into output: inout [UInt8]) {
        if self.owesLineEnd { self.endLine(&output) }
        self.owesLineEnd = false
    }

    /// Writes the first byte of what is left of a line.
    private mutating func write(_ rest: ArraySlice<UInt8>, _ output: inout [UInt8]) {
        guard let byte = rest.first, Self.isLiteral(byte, isLast: rest.count == 1) else {
            if let byte = rest.first { self.escape(byte, &output) }
            return
        }
        self.wrap(for: 1, &output)
        guard self.column > 0 || !Self.isDelicate(rest) else { return self.escape(byte, &output) }
        output.append(byte)
        self.column += 1
    }

    /// A blank at the end of a line may be lost on the way (§6.7 rule 3).
    private static func isLiteral(_ byte: UInt8, isLast: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "="): false
        case UInt8(ascii: " "), UInt8(ascii: "\t"): !isLast
        default: (0x21...0x7e).contains(byte)
        }
    }

    private static func isDelicate(_ line: ArraySlice<UInt8>) -> Bool {
        switch line.first {
        case UInt8(ascii: "."): true
        case UInt8(ascii: "-"): line.dropFirst().first == UInt8(ascii: "-")
        case UInt8(ascii: "F"): line.starts(with: self.fromLine)
        default: false
        }
    }

    private mutating func escape(_ byte: UInt8, _ output: inout [UInt8]) {
        self.wrap(for: 3, &output)
        output += [UInt8(ascii: "="), Self.digits[Int(byte >> 4)], Self.digits[Int(byte & 15)]]
        self.column += 3
    }

    private mutating func wrap(for width: Int, _ output: inout [UInt8]) {
        if self.column + width > Self.columns { self.breakSoftly(&output) }
    }

    private mutating func breakSoftly(_ output: inout [UInt8]) {
        output.append(UInt8(ascii: "="))
        self.endLine(&output)
    }

    private mutating func endLine(_ output: inout [UInt8]) {
        output += ContentLines.crlf
        self.column = 0
    }
}
