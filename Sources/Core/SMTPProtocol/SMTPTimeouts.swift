/// How long each wait may last (RFC 5321 §4.5.3.2). The machines own no clock: they name what they wait for, and the
/// handler arms a timer of this length whenever that changes.
public struct SMTPTimeouts: Hashable, Sendable {
    /// What a client waits for.
    public enum ClientWait: Hashable, Sendable {
        /// The 220 of the server.
        case greeting
        /// The replies to EHLO, STARTTLS, RSET and QUIT.
        case command
        /// The TLS handshake.
        case handshake
        /// The replies to MAIL and RCPT.
        case envelope
        /// The 354.
        case dataInitiation
        /// Progress in writing content.
        case dataBlock
        /// The reply to the final dot.
        case dataTermination
        /// Nothing: the connection is idle, or the machine is finished.
        case nothing

        /// Whether it belongs to the part of a transaction that `transaction` bounds. That is all of it but the reply
        /// to the final dot, behind which giving up would be ambiguous.
        public var isWithinTransaction: Bool {
            switch self {
            case .envelope, .dataInitiation, .dataBlock: true
            case .greeting, .command, .handshake, .dataTermination, .nothing: false
            }
        }
    }

    /// What a server waits for.
    public enum ServerWait: Hashable, Sendable {
        /// The next whole command.
        case command
        /// The TLS handshake.
        case handshake
        /// Progress in receiving content.
        case data
        /// Its owner's decision; the client is not to blame.
        case owner
        /// Nothing: the session is over.
        case nothing
    }

    /// The greeting: 5 min (§4.5.3.2.1).
    public var greeting = Duration.seconds(300)
    /// EHLO and the like: 5 min.
    public var command = Duration.seconds(300)
    /// A handshake, which no RFC bounds: 60 s as a client.
    public var handshake = Duration.seconds(60)
    /// MAIL and RCPT: 5 min (§4.5.3.2.2-3).
    public var envelope = Duration.seconds(300)
    /// The 354: 2 min (§4.5.3.2.4).
    public var dataInitiation = Duration.seconds(120)
    /// A block of content: 3 min (§4.5.3.2.5).
    public var dataBlock = Duration.seconds(180)
    /// The reply to the final dot: 10 min (§4.5.3.2.6).
    public var dataTermination = Duration.seconds(600)
    /// A client's transaction from MAIL to its final dot, however steadily the server answers: 2 h, which no RFC bounds.
    public var transaction = Duration.seconds(7200)
    /// A server's wait for a command: 5 min (§4.5.3.2.7).
    public var serverCommand = Duration.seconds(300)
    /// A server's wait for a handshake: 10 s.
    public var serverHandshake = Duration.seconds(10)

    /// The defaults.
    public init() {}

    /// The limit of one wait, or `nil` when there is none.
    public func duration(of wait: ClientWait) -> Duration? {
        switch wait {
        case .greeting: self.greeting
        case .command: self.command
        case .handshake: self.handshake
        case .envelope: self.envelope
        case .dataInitiation: self.dataInitiation
        case .dataBlock: self.dataBlock
        case .dataTermination: self.dataTermination
        case .nothing: nil
        }
    }

    /// The limit of one wait, or `nil` when there is none.
    public func duration(of wait: ServerWait) -> Duration? {
        switch wait {
        case .command: self.serverCommand
        case .handshake: self.serverHandshake
        case .data: self.dataBlock
        case .owner, .nothing: nil
        }
    }
}
