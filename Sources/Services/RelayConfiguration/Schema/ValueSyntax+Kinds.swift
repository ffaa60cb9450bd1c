import Admission
import DeliveryQueue
import MailModel
import Routing

extension ValueSyntax {
    /// A whole number within a range.
    static func integer(_ range: ClosedRange<Int>) -> ValueSyntax where Value == Int {
        .text("whole number, \(range.lowerBound) to \(range.upperBound)", render: { "\($0)" }) { text, _ in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A power of two within a range.
    static func powerOfTwo(_ range: ClosedRange<Int>) -> ValueSyntax where Value == Int {
        .text("power of two, \(range.lowerBound) to \(range.upperBound)", render: { "\($0)" }) { text, _ in
            Int(text).flatMap { range.contains($0) && $0.nonzeroBitCount == 1 ? $0 : nil }
        }
    }

    /// A TCP port.
    static func port() -> ValueSyntax where Value == UInt16 {
        .text("port, 1 to 65535", render: { "\($0)" }) { text, _ in UInt16(text).flatMap { $0 > 0 ? $0 : nil } }
    }

    /// A duration within a range.
    static func duration(_ range: ClosedRange<Duration>) -> ValueSyntax where Value == Duration {
        let limits = "\(range.lowerBound.configurationText) to \(range.upperBound.configurationText)"
        return .text("duration such as 15m or 24h, \(limits)", render: \.configurationText) { text, _ in
            Duration(configurationText: text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A day.
    static func day() -> ValueSyntax where Value == CalendarDay {
        .text("day such as 2027-01-31") { text, _ in CalendarDay(text) }
    }

    /// A size within a range.
    static func size(_ range: ClosedRange<ByteCount>) -> ValueSyntax where Value == ByteCount {
        let limits = "\(range.lowerBound) to \(range.upperBound)"
        return .text("size such as 512KiB or 50MiB, \(limits)", render: { "\($0)" }) { text, _ in
            ByteCount(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// Yes or no.
    static func flag() -> ValueSyntax where Value == Bool {
        .text("true or false", render: { "\($0)" }) { text, _ in Bool(text) }
    }

    /// One of the cases of an enum, by raw value.
    static func choice() -> ValueSyntax
    where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return .text("one of \(names)", render: { YAMLText.quoted($0.rawValue) }) {
            text, _ in Value(rawValue: text)
        }
    }

    /// Text that is not empty and has no control characters.
    static func string(_ expected: String = "text") -> ValueSyntax where Value == String {
        .text(expected) { text, _ in
            text.isEmpty || text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F } ? nil : text
        }
    }

    /// A domain; text in another script is converted by the loader's parser.
    static func domain() -> ValueSyntax where Value == DomainName {
        .text("domain name") { text, dialect in dialect.domainName(text) }
    }

    /// An address with a port.
    static func endpoint(defaultPort: UInt16? = nil) -> ValueSyntax where Value == Endpoint {
        .text("address and port such as 127.0.0.1:25 or [::1]:25") { text, _ in
            Endpoint(text, defaultPort: defaultPort)
        }
    }

    /// An address.
    static func address() -> ValueSyntax where Value == IPAddress {
        .text("address such as 192.0.2.1 or 2001:db8::1") { text, _ in IPAddress(text) }
    }

    /// Which hosts or domains a rule is about.
    static func domainPattern() -> ValueSyntax where Value == DomainPattern {
        .text("name, or *.domain for all names below it") { text, dialect in
            DomainPattern(text, domainName: dialect.domainName)
        }
    }

    /// A network.
    static func network() -> ValueSyntax where Value == CIDRBlock {
        .text("network such as 192.0.2.0/24, no bits set behind the prefix") { text, _ in CIDRBlock(text) }
    }

    /// A next hop; none is the domain's MX hosts.
    static func nextHop() -> ValueSyntax where Value == NextHop? {
        .text(
            "mx, a host or an address, with or without a port",
            render: { YAMLText.quoted($0?.settingText ?? NextHop.byMX) }
        ) { text, dialect in
            if text == NextHop.byMX { return .some(nil) }
            return NextHop(settingText: text, domainName: dialect.domainName).map { .some($0) }
        }
    }

    /// Which recipients of an accepted domain exist.
    static func recipients() -> ValueSyntax where Value == ConfiguredRecipients {
        let expected = "any, call-ahead or {file: path}"
        return ValueSyntax(
            parse: { node, key, _ throws(ConfigurationProblem) in
                switch node.content {
                case .mapping(let entries) where entries.count == 1 && entries[0].key == "file":
                    if let path = entries[0].value.scalar, !path.isEmpty { return .file(path) }
                default:
                    if node.scalar == "any" { return .any }
                    if node.scalar == "call-ahead" { return .callAhead }
                }
                throw ConfigurationProblem(node.source, key, "expected \(expected), found \(node.kind)")
            },
            render: { value in
                switch value {
                case .any: "any"
                case .callAhead: "call-ahead"
                case .file(let path): "{file: \(YAMLText.quoted(path))}"
                }
            }, expected: expected)
    }

    /// A fingerprint.
    static func fingerprint() -> ValueSyntax where Value == SHA256Fingerprint {
        .text("SHA-256 of a certificate or key, 64 hexadecimal digits") { text, _ in SHA256Fingerprint(text) }
    }

    /// The address of a mailbox, `local@domain`.
    static func mailbox() -> ValueSyntax where Value == String {
        .text("address such as postmaster@example.org") { text, dialect in
            guard let at = text.lastIndex(of: "@"), at != text.startIndex,
                dialect.domainName(String(text[text.index(after: at)...])) != nil,
                text[..<at].utf8.allSatisfy({ (0x21..<0x7F).contains($0) && !"<>\"\\@".utf8.contains($0) })
            else { return nil }
            return text
        }
    }

    /// Names and texts, such as options that are handed on.
    static func textMapping() -> ValueSyntax where Value == [String: String] {
        ValueSyntax(
            parse: { node, key, _ throws(ConfigurationProblem) in
                guard case .mapping(let entries) = node.content else {
                    throw ConfigurationProblem(node.source, key, "expected a mapping of texts, found \(node.kind)")
                }
                var result: [String: String] = [:]
                for entry in entries {
                    guard let text = entry.value.scalar else {
                        throw ConfigurationProblem(
                            entry.source, "\(key).\(entry.key)", "expected text, found \(entry.value.kind)")
                    }
                    result[entry.key] = text
                }
                return result
            },
            render: { mapping in
                let pairs = mapping.sorted { $0.key < $1.key }.map { key, value in
                    "\(YAMLText.quoted(key)): \(YAMLText.quoted(value))"
                }
                return "{\(pairs.joined(separator: ", "))}"
            }, expected: "mapping of texts")
    }
}
