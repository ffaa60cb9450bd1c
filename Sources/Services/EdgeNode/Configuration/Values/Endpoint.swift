public import MailModel

/// An address and a port: `192.0.2.1:25` or `[2001:db8::1]:25`.
public struct Endpoint: Hashable, Sendable {
    public let address: IPAddress
    public let port: UInt16

    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Reads the text form. Without `defaultPort` the port must be there; port 0 asks the system for a free one.
    public init?(_ text: String, defaultPort: UInt16? = nil) {
        // A bare IPv6 address has colons of its own, so it can only be whole.
        if let defaultPort, let address = IPAddress(text) {
            self.init(address, defaultPort)
            return
        }
        guard let (host, port) = HostPort.split(text, defaultPort: defaultPort) else { return nil }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        guard let address = IPAddress(isBracketed ? host.dropFirst().dropLast() : host) else { return nil }
        if case .v6 = address, !isBracketed { return nil }
        self.init(address, port)
    }
}

extension Endpoint: CustomStringConvertible {
    public var description: String { "\(self.address.bracketed):\(self.port)" }
}

/// Where the mail of an accepted domain goes.
public enum ConfiguredNextHop: Hashable, Sendable {
    /// To the domain's MX hosts.
    case mx
    /// To one host; DANE applies where its addresses are signed (rule 11 of the DANE rules).
    case host(DomainName, port: UInt16)
    /// To one address.
    case address(Endpoint)

    /// Reads `mx`, `host`, `host:port`, `192.0.2.1`, `192.0.2.1:2525` or `[2001:db8::1]:2525`; the port is 25 by default.
    init?(_ text: String, domainName: DomainNameParser) {
        if text == "mx" {
            self = .mx
        } else if let endpoint = Endpoint(text, defaultPort: 25), endpoint.port > 0 {
            self = .address(endpoint)
        } else if let (host, port) = HostPort.split(text, defaultPort: 25), port > 0,
            let name = domainName(String(host)), name.labels.last.map({ Int($0) == nil }) ?? false
        {
            self = .host(name, port: port)
        } else {
            return nil
        }
    }
}

extension ConfiguredNextHop: CustomStringConvertible {
    public var description: String {
        switch self {
        case .mx: "mx"
        case .host(let name, let port): "\(name):\(port)"
        case .address(let endpoint): "\(endpoint)"
        }
    }
}

/// Turns the text of a domain in the file into its A-labels; composed with an IDNA converter by the composition root.
public typealias DomainNameParser = @Sendable (String) -> DomainName?

private enum HostPort {
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

extension IPAddress {
    fileprivate var bracketed: String {
        switch self {
        case .v4: "\(self)"
        case .v6: "[\(self)]"
        }
    }
}
