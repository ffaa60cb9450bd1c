public import MailModel

/// One address of a receiving host, and our egress sources for it.
public struct ConnectionTarget: Hashable, Sendable {
    /// The address.
    public let address: IPAddress
    /// The port.
    public let port: UInt16
    /// Our egress sources for it; at least one.
    public let sources: [Egress]

    /// An address, and the sources to it.
    public init(_ address: IPAddress, _ port: UInt16, by sources: [Egress]) {
        self.address = address
        self.port = port
        self.sources = sources
    }
}

/// What a connection's host is waited for.
public enum ConnectionPhase: Hashable, Sendable {
    /// To connect, greet, and agree on TLS.
    case opening(hasGreeted: Bool)
    /// To answer a command, for so long already; or the end of a message, which may be delivered whether it answers or not.
    case talking(stalled: Duration, isEnding: Bool)
    /// To take content that is being sent.
    case sending
    /// Nothing.
    case idle
}

/// The right to one connection.
public struct ConnectionGrant: Hashable, Sendable {
    /// No other has it.
    public let id: UInt64
    /// Whose it is.
    public let site: ReceivingSite
    /// Where it leads.
    public let address: IPAddress
    /// To which port.
    public let port: UInt16
    /// Where it comes from.
    public let egress: Egress
    /// For whose mail it was opened.
    public let share: PoolShare
}
