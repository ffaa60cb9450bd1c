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

extension IPAddress {
    fileprivate var bracketed: String {
        switch self {
        case .v4: "\(self)"
        case .v6: "[\(self)]"
        }
    }
}
