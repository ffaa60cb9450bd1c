public import DANE
public import DNSModel
public import MailModel

extension DomainName: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) {
        guard let name = DomainName(text) else { preconditionFailure("a test has a bad name: \(text)") }
        self = name
    }

    /// The owner of TLSA records.
    public static func tlsa(_ host: DomainName, port: Int = 25) -> DomainName { "_\(port)._tcp.\(host)" }
}

extension DomainName: ExpressibleByStringInterpolation {}

extension Mailbox: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) {
        guard let mailbox = Mailbox(text) else { preconditionFailure("a test has a bad mailbox: \(text)") }
        self = mailbox
    }
}

extension IPAddress {
    public static func literal(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("a test has a bad address: \(text)") }
        return address
    }
}

extension TLSARecord {
    /// A record by its numbers; by default a digest of the right length, filled with `fill`.
    public static func record(
        _ usage: UInt8, _ selector: UInt8, _ type: UInt8, fill: UInt8 = 1, length: Int? = nil
    ) -> Self {
        let length = length ?? [1: 32, 2: 64][type] ?? 40
        return self.record(usage, selector, type, data: Array(repeating: fill, count: length))
    }

    public static func record(_ usage: UInt8, _ selector: UInt8, _ type: UInt8, data: [UInt8]) -> Self {
        TLSARecord(
            usage: .init(rawValue: usage), selector: .init(rawValue: selector), matchingType: .init(rawValue: type),
            associationData: data)
    }

    /// The commonest good record.
    public static let good = TLSARecord.record(3, 1, 1)
}

extension DANERequirement {
    /// The obligation's authentication, if it is one.
    public var authentication: DANEAuthentication? { if case .authenticate(let wanted) = self { wanted } else { nil } }
}
