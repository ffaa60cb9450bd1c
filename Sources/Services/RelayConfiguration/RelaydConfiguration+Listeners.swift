package import MailModel
package import Routing

extension Listener {
    /// Clients may come from other machines: to its address, or through a proxy.
    var isOpenToStrangers: Bool { !self.address.address.isLoopback || self.proxyProtocol }
}

extension RelaydConfiguration.SMTP {
    /// Names the listeners that have no name: `smtp`, `smtp-2` and so on, as far as no other has that name.
    mutating func nameListeners() {
        var taken = Set(self.listeners.map(\.name))
        for index in self.listeners.indices where self.listeners[index].name.isEmpty {
            let names = ["smtp"] + (2...(self.listeners.count + 1)).map { "smtp-\($0)" }
            guard let free = names.first(where: { !taken.contains($0) }) else { continue }
            self.listeners[index].name = free
            taken.insert(free)
        }
    }

    /// Whether another listener has the IPv4 side of this one's port, so that a socket at `::` must not take it.
    package func leavesIPv4ToAnother(_ listener: Listener) -> Bool {
        listener.address.address.isIPv6
            && self.listeners.contains { !$0.address.address.isIPv6 && $0.address.port == listener.address.port }
    }

    /// The first two listeners that want the same address and port, by their places.
    var overlap: (Int, Int)? {
        for (index, one) in self.listeners.enumerated() where one.address.port != 0 {
            let other = self.listeners[..<index].firstIndex { other in
                let (left, right) = (one.address.address, other.address.address)
                return one.address.port == other.address.port && left.isIPv6 == right.isIPv6
                    && (left == right || left.isUnspecified || right.isUnspecified)
            }
            if let other { return (other, index) }
        }
        return nil
    }
}

extension RelaydConfiguration {
    /// The listener that takes what is sent to a next hop. It is `nil` where that is not this node, as far as is known
    /// without the DNS.
    ///
    /// - Parameter interfaces: the addresses of this machine, which a listener on all of them covers.
    package func listener(at nextHop: NextHop, interfaces: [IPAddress]) -> Listener? {
        self.smtp.listeners.first { listener in
            switch nextHop {
            case .domain: return false
            case .host(let name, let port):
                let names = [self.hostName(of: listener), self.node.name]
                return port == listener.address.port && names.contains(name)
            case .address(let address, let port), .literal(let address, let port):
                let own = listener.address.address
                let covered = own.isUnspecified ? interfaces + [address].filter(\.isLoopback) : [own]
                return port == listener.address.port
                    && covered.map(\.unmapped).contains(address.unmapped)
                    && (!own.isUnspecified || own.isIPv6 || !address.isIPv6)
            }
        }
    }
}
