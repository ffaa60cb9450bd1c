public import MailModel

extension Endpoint {
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
