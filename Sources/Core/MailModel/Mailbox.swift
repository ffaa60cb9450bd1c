/// One mailbox, `local-part@domain` (RFC 5321 §4.1.2).
///
/// The local part is kept as its meaning, without quotes or backslashes and in the case that was given. Only the final
/// host may interpret it. `description` quotes it again where the grammar demands that.
public struct Mailbox: Hashable, Sendable {
    /// Where a mailbox lives.
    public enum Domain: Hashable, Sendable {
        /// A domain name in A-labels.
        case name(DomainName)
        /// An address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (§4.1.3).
        case literal(IPAddress)
    }

    /// The most bytes in a local part. §4.5.3.1.1 obliges us to take 64, and addresses that carry another address in
    /// them (VERP, SRS) need more.
    public static let maximumLocalPartLength = 255

    /// The local part without its quoting: 1 to 255 bytes of printable ASCII, spaces, or UTF-8 beyond ASCII (RFC 6531 §3.3).
    public let localPart: String
    /// The domain or address literal.
    public let domain: Domain

    /// A mailbox from its parts; `nil` when the local part is empty, too long or holds a control character.
    public init?(localPart: String, domain: Domain) {
        guard (1...Self.maximumLocalPartLength).contains(localPart.utf8.count),
            localPart.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
        else { return nil }
        self.localPart = localPart
        self.domain = domain
    }

    /// Reads the `Mailbox` rule of §4.1.2; a trailing dot of the domain is dropped, so that it names the same domain.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        var scanner = PathScanner(bytes[...])
        guard let mailbox = scanner.mailbox(), scanner.isAtEnd else { return nil }
        self = mailbox
    }

    /// Whether the local part holds more than ASCII, so that only a host with SMTPUTF8 can take it. The domain never does:
    /// it is kept in A-labels.
    public var isInternational: Bool { !self.localPart.utf8.allSatisfy { $0 < 0x80 } }

    /// The domain name, or `nil` for an address literal.
    public var domainName: DomainName? {
        guard case .name(let name) = self.domain else { return nil }
        return name
    }
}

extension Mailbox: CustomStringConvertible {
    /// The canonical form: a dot-string where possible, else a quoted string with as few backslashes as it needs.
    public var description: String { "\(Self.quoted(self.localPart))@\(self.domain)" }

    private static func quoted(_ localPart: String) -> String {
        let atoms = localPart.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if atoms.allSatisfy({ !$0.isEmpty && $0.allSatisfy(PathScanner.isAtomText) }) { return localPart }
        var text: [UInt8] = [UInt8(ascii: "\"")]
        // Byte by byte: as a character of Swift's a quote may be one with the accents that follow it, and would be missed.
        for byte in localPart.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { text.append(UInt8(ascii: "\\")) }
            text.append(byte)
        }
        return String(decoding: text, as: UTF8.self) + "\""
    }
}

extension Mailbox.Domain: CustomStringConvertible {
    /// Reads a domain name or an address literal.
    public init?(_ text: some StringProtocol) {
        guard let mailbox = Mailbox("x@\(text)") else { return nil }
        self = mailbox.domain
    }

    public var description: String {
        switch self {
        case .name(let name): name.text
        case .literal(.v4(let value)): "[\(IPAddress.v4(value))]"
        case .literal(let address): "[IPv6:\(address)]"
        }
    }
}
