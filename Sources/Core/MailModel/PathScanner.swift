/// A cursor over the bytes of a path, one method for each rule of RFC 5321 §4.1.2 that it reads.
///
/// A method that fails returns `nil` and leaves the cursor anywhere; its caller then gives up on the whole text.
struct PathScanner {
    private var rest: ArraySlice<UInt8>
    private let conversion: DomainNameConversion

    init(_ bytes: ArraySlice<UInt8>, _ conversion: DomainNameConversion = .none) {
        self.rest = bytes
        self.conversion = conversion
    }

    var isAtEnd: Bool { self.rest.isEmpty }

    /// What is left to read.
    var remainder: ArraySlice<UInt8> { self.rest }

    /// Takes `character` if it comes next.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard self.rest.first == UInt8(ascii: character) else { return false }
        self.rest.removeFirst()
        return true
    }

    /// `A-d-l ":"`, the source route that may stand in front of a mailbox; empty when there is none.
    mutating func sourceRoute() -> [DomainName]? {
        var route: [DomainName] = []
        guard self.rest.first == UInt8(ascii: "@") else { return route }
        repeat {
            guard self.take("@"), let hop = self.domainName() else { return nil }
            route.append(hop)
        } while self.take(",")
        return self.take(":") ? route : nil
    }

    /// `Local-part "@" ( Domain / address-literal )`.
    mutating func mailbox() -> Mailbox? {
        let isQuoted = self.rest.first == UInt8(ascii: "\"")
        guard let localPart = isQuoted ? self.quotedString() : self.dotString(), self.take("@") else { return nil }
        if self.rest.first == UInt8(ascii: "[") {
            guard let address = self.addressLiteral() else { return nil }
            return Mailbox(localPart: localPart, domain: .literal(address))
        }
        guard let name = self.domainName() else { return nil }
        return Mailbox(localPart: localPart, domain: .name(name))
    }

    private mutating func domainName() -> DomainName? {
        self.conversion.name(
            self.takeWhile { Self.isLetterOrDigit($0) || $0 >= 0x80 || [0x2d, 0x2e, 0x5f].contains($0) })
    }

    /// `Dot-string`, and its dots may stand anywhere: there are mailboxes named `john..doe` and `john.`, and everybody takes them.
    /// They are the mailboxes that a quoted string names, as which they are written again.
    private mutating func dotString() -> String? {
        let text = self.takeWhile { Self.isAtomText($0) || $0 == UInt8(ascii: ".") }
        return text.isEmpty ? nil : String(validating: text, as: UTF8.self)
    }

    private mutating func quotedString() -> String? {
        guard self.take("\"") else { return nil }
        var text: [UInt8] = []
        while var byte = self.rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return String(validating: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard let escaped = self.rest.popFirst() else { return nil }
                byte = escaped
            }
            guard byte >= 0x20, byte != 0x7f else { return nil }
            text.append(byte)
        }
        return nil
    }

    private mutating func addressLiteral() -> IPAddress? {
        guard self.take("[") else { return nil }
        let content = String(decoding: self.takeWhile { $0 != UInt8(ascii: "]") }, as: UTF8.self)
        guard self.take("]") else { return nil }
        if content.prefix(5).lowercased() == "ipv6:" {
            guard case .v6(let high, let low) = IPAddress(content.dropFirst(5)) else { return nil }
            return .v6(high, low)
        }
        guard case .v4(let value) = IPAddress(content) else { return nil }
        return .v4(value)
    }

    private mutating func takeWhile(_ belongs: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let taken = self.rest.prefix(while: belongs)
        self.rest = self.rest[taken.endIndex...]
        return taken
    }

    /// `atext` (RFC 5322 §3.2.3), with UTF-8 beyond ASCII (RFC 6531 §3.3).
    static func isAtomText(_ byte: UInt8) -> Bool {
        self.isLetterOrDigit(byte) || byte >= 0x80 || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) && byte < 0x80
    }
}
