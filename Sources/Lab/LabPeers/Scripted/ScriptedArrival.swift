public import MailModel
import OperatingSystem

/// A message that arrived at a peer and was not refused. It is enough to say which message of which relay it was, who
/// sent it, and when.
public struct ScriptedArrival: Hashable, Sendable {
    /// The field Message-ID, with its angle brackets.
    public let messageID: String
    /// The id under which the last relay had queued it; `nil` if that was none of ours.
    public let queueID: MessageID?
    /// The client's word in EHLO: the node's name.
    public let client: String
    /// When the final dot was read, by the clock of this machine.
    public let at: Timestamp

    /// An arrival.
    public init(messageID: String, queueID: MessageID?, client: String, at: Timestamp) {
        self.messageID = messageID
        self.queueID = queueID
        self.client = client
        self.at = at
    }

    /// `nil` for a message without a Message-ID, and for one that was refused.
    init?(_ mail: ScriptedMail) {
        guard let id = mail.messageID, mail.replyCode.map({ (200..<300).contains($0) }) ?? true else { return nil }
        self.init(messageID: id, queueID: mail.queueID, client: mail.helloName, at: .systemNow)
    }
}
