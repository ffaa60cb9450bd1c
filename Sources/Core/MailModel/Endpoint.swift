/// An address and a port: `192.0.2.1:25` or `[2001:db8::1]:25`.
public struct Endpoint: Hashable, Sendable {
    public let address: IPAddress
    public let port: UInt16

    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
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
