/// The header section of a message or of a body part, and what it says of the content behind it (RFC 2045).
struct MIMEHeaders: Hashable, Sendable {
    /// Where a header section stands.
    enum Place: Hashable {
        /// At the beginning of a message, also of one within another.
        case message
        /// In a multipart; `isInDigest`: what is not named otherwise is a message (RFC 2046 §5.1.5).
        case part(isInDigest: Bool)
    }

    /// What stands behind a header section.
    enum Content: Hashable {
        /// Text, which is quoted-printable where it has to be.
        case text
        /// The same of anything else, whose line ends are bytes like others.
        case data
        /// What must not be encoded, or is encoded already.
        case fixed
        /// Parts.
        case multipart(boundary: [UInt8], isDigest: Bool)
        /// Another message.
        case message
    }

    /// A field with all of its lines, and its name in lower case.
    private struct Field: Hashable {
        let name: String
        var bytes: [UInt8]
    }

    private enum Name {
        static let version = "mime-version"
        static let type = "content-type"
        static let encoding = "content-transfer-encoding"
    }

    private let place: Place
    private let fields: [Field]
    let content: Content
    /// It says of its content, or of parts in it, that they are 8-bit or binary.
    let isDeclaredEightBit: Bool

    /// Takes the lines of a header section, each with its CRLF, without the empty line.
    init(_ lines: [[UInt8]], at place: Place) throws(SevenBitRefusal) {
        self.place = place
        self.fields = try Self.fields(lines)
        let names = self.fields.map(\.name)
        for name in [Name.version, Name.type, Name.encoding] where names.count(where: { $0 == name }) > 1 {
            throw .malformed
        }
        if place == .message, names.contains(where: Self.isSignature) { throw .signed }
        let encoding = try Self.encoding(Self.value(of: Name.encoding, in: self.fields))
        self.isDeclaredEightBit = encoding == "8bit" || encoding == "binary"
        let content = try Self.content(Self.value(of: Name.type, in: self.fields), at: place)
        switch content {
        // No other encoding may stand over parts (RFC 2045 §6.4).
        case .multipart, .message: guard self.isDeclaredEightBit || encoding == "7bit" else { throw .malformed }
        case .text, .data, .fixed: ()
        }
        let isEncodable = self.isDeclaredEightBit || encoding == "7bit"
        self.content = isEncodable ? content : .fixed
    }

    // MARK: - Reading

    private static func fields(_ lines: [[UInt8]]) throws(SevenBitRefusal) -> [Field] {
        var fields: [Field] = []
        for line in lines {
            guard line.allSatisfy({ $0 < 0x80 }) else { throw .eightBitHeader }
            if line[0] == UInt8(ascii: " ") || line[0] == UInt8(ascii: "\t") {
                guard !fields.isEmpty else { throw .malformed }
                fields[fields.count - 1].bytes += line
                continue
            }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .malformed }
            // Blanks before the colon are obsolete (RFC 5322 §4.5).
            var name = line[..<colon]
            while name.last == UInt8(ascii: " ") || name.last == UInt8(ascii: "\t") { name.removeLast() }
            guard !name.isEmpty, name.allSatisfy({ (0x21...0x7e).contains($0) }) else { throw .malformed }
            fields.append(Field(name: String(decoding: name, as: UTF8.self).lowercased(), bytes: line))
        }
        return fields
    }

    private static func isSignature(_ name: String) -> Bool {
        name == "dkim-signature" || name == "domainkey-signature" || name.hasPrefix("arc-")
    }

    private static func value(of name: String, in fields: [Field]) -> ArraySlice<UInt8>? {
        guard let bytes = fields.first(where: { $0.name == name })?.bytes else { return nil }
        return bytes.drop { $0 != UInt8(ascii: ":") }.dropFirst()
    }

    private static func encoding(_ value: ArraySlice<UInt8>?) throws(SevenBitRefusal) -> String {
        guard let value else { return "7bit" }
        var scanner = MIMEFieldScanner(value)
        guard let encoding = scanner.token(), scanner.isAtEnd else { throw .malformed }
        return encoding
    }

    private static func content(_ value: ArraySlice<UInt8>?, at place: Place) throws(SevenBitRefusal) -> Content {
        guard let value else { return place == .part(isInDigest: true) ? .message : .text }
        guard let type = MIMEContentType(value) else { throw .malformed }
        switch (type.type, type.subtype) {
        case ("multipart", "signed"): throw .signed
        case ("multipart", "encrypted"), ("application", "pgp-encrypted"): throw .encrypted
        case ("application", "pkcs7-mime"), ("application", "x-pkcs7-mime"): throw .signed
        case ("multipart", let subtype):
            guard let boundary = type.boundary else { throw .malformed }
            return .multipart(boundary: boundary, isDigest: subtype == "digest")
        case ("message", "partial"): throw .fragment
        case ("message", "rfc822"): return .message
        // Unlike other kinds of message it may have any encoding (RFC 6532 §3.7, RFC 6533 §4).
        case ("message", let subtype) where subtype.hasPrefix("global"): return .text
        case ("message", _): return .fixed
        case ("text", _): return .text
        default: return .data
        }
    }

    // MARK: - Writing

    /// As it came.
    var original: [UInt8] { self.fields.flatMap(\.bytes) }

    /// For content that is now quoted-printable. What the client left out is named as RFC 1428 §3 says.
    var quotedPrintable: [UInt8] {
        var bytes = self.with(encoding: "quoted-printable")
        if self.lacksVersion { bytes += "MIME-Version: 1.0\r\n".utf8 }
        if !self.has(Name.type) { bytes += "Content-Type: text/plain; charset=unknown-8bit\r\n".utf8 }
        if !self.has(Name.encoding) { bytes += "Content-Transfer-Encoding: quoted-printable\r\n".utf8 }
        return bytes
    }

    /// For parts, or a message, that are now 7-bit (RFC 2045 §6.4).
    var sevenBit: [UInt8] {
        var bytes = self.isDeclaredEightBit ? self.with(encoding: "7bit") : self.original
        if self.lacksVersion { bytes += "MIME-Version: 1.0\r\n".utf8 }
        return bytes
    }

    private var lacksVersion: Bool { self.place == .message && !self.has(Name.version) }

    private func has(_ name: String) -> Bool { self.fields.contains { $0.name == name } }

    private func with(encoding: String) -> [UInt8] {
        self.fields.flatMap { field in
            field.name == Name.encoding ? Array("Content-Transfer-Encoding: \(encoding)\r\n".utf8) : field.bytes
        }
    }
}
