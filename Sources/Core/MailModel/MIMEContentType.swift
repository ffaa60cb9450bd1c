/// The value of a Content-Type field (RFC 2045 §5.1), as far as the structure of a message depends on it.
struct MIMEContentType: Hashable, Sendable {
    /// The longest boundary of a multipart (RFC 2046 §5.1.1).
    static let longestBoundary = 70

    /// The type in lower case.
    let type: String
    /// The subtype in lower case.
    let subtype: String
    /// The parameter `boundary`, where it is one.
    private(set) var boundary: [UInt8]?

    /// `nil` where the field is malformed, or names its boundary in a way that not every reader knows.
    init?(_ value: ArraySlice<UInt8>) {
        var scanner = MIMEFieldScanner(value)
        guard let type = scanner.token(), scanner.skip("/"), let subtype = scanner.token() else { return nil }
        (self.type, self.subtype) = (type, subtype)
        while !scanner.isAtEnd {
            guard scanner.skip(";") else { return nil }
            // An empty parameter, as behind a last semicolon, is seen often and means nothing.
            if scanner.isAtEnd || scanner.isAt(";") { continue }
            guard let name = scanner.token(), scanner.skip("="), let content = scanner.value() else { return nil }
            // RFC 2231 §3 can spread it over several parameters.
            guard !name.hasPrefix("boundary*") else { return nil }
            guard name == "boundary" else { continue }
            guard self.boundary == nil, Self.isBoundary(content) else { return nil }
            self.boundary = content
        }
    }

    private static func isBoundary(_ bytes: [UInt8]) -> Bool {
        (1...Self.longestBoundary).contains(bytes.count) && bytes.last != UInt8(ascii: " ")
            && bytes.allSatisfy { (0x20...0x7e).contains($0) }
    }
}

/// Reads the value of a structured field: tokens, quoted strings, and comments between them (RFC 2045 §5.1, RFC 5322 §3.2.2).
struct MIMEFieldScanner {
    private static let specials = Set("()<>@,;:\\\"/[]?=".utf8)

    private var rest: ArraySlice<UInt8>
    private var isBroken = false

    init(_ value: ArraySlice<UInt8>) {
        self.rest = value
        self.skipBlanks()
    }

    var isAtEnd: Bool { self.rest.isEmpty && !self.isBroken }

    func isAt(_ character: Unicode.Scalar) -> Bool { self.rest.first == UInt8(ascii: character) }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard self.isAt(character) else { return false }
        self.rest.removeFirst()
        self.skipBlanks()
        return true
    }

    /// A token, in lower case.
    mutating func token() -> String? { self.word().map { String(decoding: $0, as: UTF8.self).lowercased() } }

    /// A token or the content of a quoted string, as it stands.
    mutating func value() -> [UInt8]? { self.isAt("\"") ? self.quoted() : self.word().map(Array.init) }

    private mutating func word() -> ArraySlice<UInt8>? {
        let word = self.rest.prefix { (0x21...0x7e).contains($0) && !Self.specials.contains($0) }
        guard !word.isEmpty else { return nil }
        self.rest.removeFirst(word.count)
        self.skipBlanks()
        return word
    }

    private mutating func quoted() -> [UInt8]? {
        self.rest.removeFirst()
        var content: [UInt8] = []
        while let byte = self.rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                self.skipBlanks()
                return content
            case UInt8(ascii: "\\"):
                guard let escaped = self.rest.popFirst() else { return nil }
                content.append(escaped)
            // Folding adds a line end to white space, and nothing else (RFC 5322 §2.2.3).
            case UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
            default: content.append(byte)
            }
        }
        return nil
    }

    private mutating func skipBlanks() {
        while let byte = self.rest.first {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): self.rest.removeFirst()
            case UInt8(ascii: "("): self.skipComment()
            default: return
            }
        }
    }

    private mutating func skipComment() {
        var depth = 0
        while let byte = self.rest.popFirst() {
            switch byte {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case UInt8(ascii: "\\"): _ = self.rest.popFirst()
            default: ()
            }
            if depth == 0 { return }
        }
        self.isBroken = true
    }
}
