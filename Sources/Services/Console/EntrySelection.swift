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
    /// Addresses of recipients that remain.
    public var recipients: [String] = []
    /// They are due, or will be within so long.
    public var dueWithin: Duration?
    /// Names or status codes of the last failure, such as `tlsa-invalid` or `4.7.323`.
    public var reasons: [String] = []
    /// Names or addresses of the host that failed last, or is asked now.
    public var hosts: [String] = []

    /// The options by which all that is said.
    static let options = """
        --id, --domain, --sender, --recipient, --state, --last-reason, --host, --due-within, --older-than
        """

    /// The most ids of one command.
    public static let mostIDs = 100_000

    /// Every entry.
    public init() {}

    /// Whether it has no condition.
    public var isEverything: Bool { self == EntrySelection() }

    /// How the null sender is shown, as Postfix has it.
    static let nullSender = "MAILER-DAEMON"

    /// Reads it, with ages counted from `now`.
    func parsed(now: Timestamp) throws(ConsoleFailure) -> QueueSelection {
        var selection = QueueSelection()
        guard self.ids.count <= Self.mostIDs else {
            throw ConsoleFailure(.usage, "\(self.ids.count) ids are more than \(Self.mostIDs), the most of one command")
        }
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
        selection.recipients = self.recipients
        selection.dueBefore = self.dueWithin.map { now + $0 }
        selection.reasons = self.reasons
        selection.hosts = self.hosts
        return selection
    }

    /// An id as `relayctl` and reports write it, or as the database's tables have it.
    static func message(_ text: String) throws(ConsoleFailure) -> MessageID {
        guard let id = MessageID(text) ?? MessageID(uuid: text) else {
            throw ConsoleFailure(.badData, "\(text) is no message id")
        }
        return id
    }

    /// The ids in lines of text, such as a list of ours or of `psql`: the first word of each that is not empty.
    public static func ids(in text: some StringProtocol) -> [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            line.split(whereSeparator: \.isWhitespace).first.map { String($0) }
        }
    }
}

extension Timestamp {
    fileprivate static func - (moment: Timestamp, age: Duration) -> Timestamp {
        moment + .microseconds(-age.wholeMicroseconds)
    }
}
