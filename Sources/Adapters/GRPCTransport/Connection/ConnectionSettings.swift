package import NIOCore
package import TLSEngine

/// The limits and times of one connection.
package struct ConnectionSettings: Hashable, Sendable {
    package var http2 = HTTP2Limits()
    /// The most bytes of a message that is received (control 19).
    package var messageBytes = 4 * 1024 * 1024
    /// Bytes of whole messages that may wait for the application on a connection before its window closes.
    package var unreadBytes = 8 * 1024 * 1024
    /// Bytes of large messages that may be on their way on a connection.
    package var largeMessageBytes = 16 * 1024 * 1024
    /// Bytes that may wait to be sent on a stream, and on a connection, before writes wait.
    package var unsentStreamBytes = 128 * 1024
    package var unsentConnectionBytes = 4 * 1024 * 1024
    /// How long TLS and the first settings may take.
    package var handshakeTime = TimeAmount.seconds(10)
    package var keepalive: KeepaliveLimits?
    /// The age at which a server ends a connection gracefully; each draws up to a tenth more or less.
    package var maximumAge: TimeAmount?
    /// How long open calls may go on once a connection is ending.
    package var grace = TimeAmount.minutes(5)

    package init() {}
}

/// The other side of a connection.
package struct ConnectionPeer: Sendable {
    /// Such as `ipv4:127.0.0.1:31415`.
    package var remote: String
    package var local: String
    /// What TLS agreed upon; `nil` without TLS.
    package var security: TLSConnectionInfo?

    init(_ channel: any Channel, security: TLSConnectionInfo?) {
        self.remote = Self.text(channel.remoteAddress)
        self.local = Self.text(channel.localAddress)
        self.security = security
    }

    private static func text(_ address: SocketAddress?) -> String {
        guard let address else { return "unknown" }
        let (host, port) = (address.ipAddress ?? "", address.port ?? 0)
        switch address {
        case .v4: return "ipv4:\(host):\(port)"
        case .v6: return "ipv6:[\(host)]:\(port)"
        case .unixDomainSocket: return "unix:\(address.pathname ?? "")"
        }
    }
}

/// What a connection tells its transport. `opened` comes first and `closed` last, of every connection but a refused one; each of the
/// others comes at most once.
package enum ConnectionEvent: Sendable {
    /// It is being made, or was accepted.
    case opened
    /// It is accepted beyond a limit, so that calls on it are refused, or closed at once. Of this connection nothing else is told but
    /// abuse and failures.
    case refused(ConnectionRefusal)
    /// The peer's settings came: calls may begin.
    case ready
    /// No call may begin any more.
    case draining(String)
    /// The server says that it was pinged too often.
    case tooManyPings
    /// The peer was sent away for its abuse.
    case abuse(AbuseKind)
    /// What came is not what was agreed upon: TLS, its version or protocol, or HTTP/2.
    case failed(String)
    /// It is over.
    case closed
}

extension ConnectionSettings {
    /// How much may wait to be sent.
    var mailboxLimits: MailboxLimits {
        MailboxLimits(stream: self.unsentStreamBytes, connection: self.unsentConnectionBytes)
    }
}
