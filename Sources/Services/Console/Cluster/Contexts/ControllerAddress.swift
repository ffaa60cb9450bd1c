package import GRPCTransport
import MailModel
import RelayConfiguration

/// Where a controller listens, as people write it: `host`, `host:port`, `192.0.2.1:9926` or `[2001:db8::1]:9926`.
package struct ControllerAddress: Hashable, Sendable, LosslessStringConvertible {
    /// The port of a controller that says nothing else.
    static let usualPort: UInt16 = 9926

    let host: String
    let port: UInt16

    package init?(_ text: String) {
        if let endpoint = Endpoint(text, defaultPort: Self.usualPort) {
            guard endpoint.port > 0 else { return nil }
            self.host = "\(endpoint.address)"
            self.port = endpoint.port
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let name = DomainName(String(parts[0])) else { return nil }
        guard let port = parts.count == 2 ? UInt16(parts[1]) : Self.usualPort, port > 0 else { return nil }
        self.host = name.text
        self.port = port
    }

    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }

    package var transport: TransportAddress { .host(self.host, port: Int(self.port)) }
}
