internal import MailModel

/// A question to a server: would it take this recipient? MAIL from the null path and RCPT are said, DATA never is, so
/// that nothing is sent and nothing bounces (RFC 5321 §4.5.5).
struct SMTPClientVerification: Hashable, Sendable {
    private enum Step: Hashable {
        case reset, mail, recipient
    }

    enum Event: Hashable {
        case send([UInt8])
        case protocolError
        case serviceClosing
        /// The server's word on the recipient.
        case done(AttemptOutcome)
        /// It did not even take the null sender, which says nothing about the recipient.
        case senderRefused(RemoteReply)
    }

    private let recipient: ForwardPath
    private var step: Step

    /// `resetFirst` clears what an earlier, unfinished transaction left on the server. An international recipient is for
    /// servers with SMTPUTF8 only.
    init(of recipient: ForwardPath, resetFirst: Bool) {
        self.recipient = recipient
        self.step = resetFirst ? .reset : .mail
    }

    var stage: SMTPClientStage {
        switch self.step {
        case .reset: .reset
        case .mail: .mail
        case .recipient: .recipient
        }
    }

    /// The command whose reply is waited for.
    var command: [UInt8] {
        switch self.step {
        case .reset: Array("RSET\r\n".utf8)
        case .mail: Array("MAIL FROM:<>\(self.recipient.isInternational ? " SMTPUTF8" : "")\r\n".utf8)
        case .recipient: Array("RCPT TO:\(self.recipient)\r\n".utf8)
        }
    }

    mutating func received(_ reply: RemoteReply) -> Event {
        if reply.code == 421 { return .serviceClosing }
        guard reply.severity != .positiveIntermediate else { return .protocolError }
        switch self.step {
        case .reset:
            guard reply.isPositiveCompletion else { return .protocolError }
            self.step = .mail
        case .mail:
            guard reply.isPositiveCompletion else { return .senderRefused(reply) }
            self.step = .recipient
        case .recipient:
            // 251 and 252 are acceptances too.
            return .done(AttemptOutcome(reply))
        }
        return .send(self.command)
    }
}
