/// Where a server listens, or a client connects to.
package enum TransportAddress: Hashable, Sendable {
    /// A name or an address; a client tries what a name stands for in its order.
    case host(String, port: Int)
    /// A Unix socket at this path.
    case unix(path: String)
}

extension TransportAddress: CustomStringConvertible {
    package var description: String {
        switch self {
        case .host(let host, let port): "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
