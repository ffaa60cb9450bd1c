import MailModel

/// Where a replica of the controller takes connections: a host name or an address, and a port.
public struct ControllerAddress: Hashable, Sendable {
    public let host: String
    public let port: UInt16

    /// Reads `host:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
    init?(settingText text: String, domainName: DomainNameParser) {
        if let endpoint = Endpoint(text, defaultPort: nil), endpoint.port > 0 {
            self.host = "\(endpoint.address)"
            self.port = endpoint.port
        } else if let (host, port) = HostPort.split(text, defaultPort: nil), port > 0,
            let name = domainName(String(host)), name.labels.last.map({ Int($0) == nil }) ?? false
        {
            self.host = name.text
            self.port = port
        } else {
            return nil
        }
    }
}

extension ControllerAddress: CustomStringConvertible {
    public var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
