import MailModel
package import Routing

extension NextHop {
    /// What stands for a domain's own MX hosts.
    static let byMX = "mx"

    /// Reads the host or address of a setting: `host`, `host:port`, `192.0.2.1`, `192.0.2.1:2525` or `[2001:db8::1]:2525`; the
    /// port is 25 by default.
    init?(settingText text: String, domainName: DomainNameParser) {
        if let endpoint = Endpoint(text, defaultPort: 25), endpoint.port > 0 {
            self = .address(endpoint.address, port: endpoint.port)
        } else if let (host, port) = HostPort.split(text, defaultPort: 25), port > 0,
            let name = domainName(String(host)), name.labels.last.map({ Int($0) == nil }) ?? false
        {
            self = .host(name, port: port)
        } else {
            return nil
        }
    }

    /// As it stands in a setting: `mail.example.org:25` or `[2001:db8::1]:2525`.
    package var settingText: String {
        switch self {
        case .domain: Self.byMX
        case .host(let name, let port): "\(name):\(port)"
        case .address(let address, let port), .literal(let address, let port): "\(Endpoint(address, port))"
        }
    }
}
