public import MailModel

/// What the owner of a server session does next.
///
/// Replies may be gathered until `.needInput`, or until an action that waits, and flushed together (RFC 2920 §3.2).
public enum SMTPServerAction: Hashable, Sendable {
    /// Flush, drain the content, and offer more bytes when they come.
    case needInput
    /// Nothing is processed until the owner has answered what it was asked; keep the bytes, and read no more.
    case waitForOwner
    /// Write this reply.
    case reply(SMTPReply)
    /// Write and flush this reply, then close the connection.
    case close(SMTPReply)
    /// Write and flush this 220, begin the handshake, and say `tlsEstablished`; close if it fails.
    case startTLS(SMTPReply)
    /// Say whether this recipient may be added: `recipientDecided`. The envelope holds those before it.
    case decideRecipient(ForwardPath, Envelope)
    /// Say what these are worth: `authenticationDecided`. They are for nothing else, and in no log.
    case authenticate(SASLCredentials)
    /// Content follows in the output of `receive`: after DATA write and flush this 354; after BDAT there is nothing to say.
    case beginMessage(Envelope, SMTPReply?)
    /// The message is whole, its last content in the output: store it and say `messageStored`.
    case messageEnded(Envelope, size: Int)
    /// The message is refused: drop what there is of it, and write this reply.
    case discardMessage(SMTPReply)
    /// As `discardMessage`, then close the connection.
    case discardMessageAndClose(SMTPReply)
}

/// One step of a server session.
public struct SMTPServerStep: Hashable, Sendable {
    /// How many of the offered bytes are done with.
    public let consumed: Int
    /// What to do next.
    public let action: SMTPServerAction

    init(_ consumed: Int, _ action: SMTPServerAction) {
        self.consumed = consumed
        self.action = action
    }
}

/// An owner's answer about one recipient.
public enum SMTPRecipientDecision: Hashable, Sendable {
    /// Add it, and answer 250.
    case accept
    /// Answer this instead.
    case refuse(SMTPReply)
}
