import InternationalDomains
import MailModel
public import QueueStore

/// Which entries are meant, as it stands on a command line.
public struct EntrySelection: Hashable, Sendable {
    /// Ids of messages.
    public var ids: [String] = []
    /// Domains of recipients.
    public var domains: [String] = []
    /// Addresses of senders; `<>` or `MAILER-DAEMON` is the null sender.
    public var senders: [String] = []
    /// What the entries do.
    public var states: [QueueListing.State] = []
    /// They were stored at least so long ago.
    public var age: Duration?

    /// Every entry.
    public init() {}

    /// Whether it has no condition.
    public var isEverything: Bool { self == EntrySelection() }

    /// How the null sender is shown, as Postfix has it.
    static let nullSender = "MAILER-DAEMON"

    /// Reads it, with ages counted from `now`.
    func parsed(now: Timestamp) throws(ConsoleFailure) -> QueueSelection {
        var selection = QueueSelection()
        for id in self.ids { selection.messages.append(try Self.message(id)) }
        for text in self.domains {
            guard let domain = try? DomainName(unicode: text) else {
                throw ConsoleFailure(.usage, "\(text) is no domain")
            }
            selection.domains.append(domain)
        }
        selection.senders = self.senders.map { ["<>", Self.nullSender, ""].contains($0) ? "" : $0 }
        selection.states = Set(self.states)
        selection.arrivedBefore = self.age.map { now - $0 }
        return selection
    }

    static func message(_ text: String) throws(ConsoleFailure) -> MessageID {
        guard let id = MessageID(text) else { throw ConsoleFailure(.badData, "\(text) is no message id") }
        return id
    }
}

extension Timestamp {
    fileprivate static func - (moment: Timestamp, age: Duration) -> Timestamp {
        moment + .microseconds(-age.wholeMicroseconds)
    }
}
