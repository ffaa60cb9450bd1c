public import MailModel
import PostgresDriver

/// Which entries an operator means. Conditions of different kinds must all hold; of the same kind, one must.
public struct QueueSelection: Hashable, Sendable {
    /// Ids of messages.
    public var messages: [MessageID] = []
    /// Domains of recipients.
    public var domains: [DomainName] = []
    /// Domains of recipients below these, beside `domains`.
    public var parents: [DomainName] = []
    /// The reverse paths; an empty text is the null sender.
    public var senders: [String] = []
    /// They have a sender.
    public var haveSender = false
    /// What the entries do.
    public var states: Set<QueueListing.State> = []
    /// They were stored before this moment, by the database's clock.
    public var arrivedBefore: Timestamp?
    /// Addresses of recipients that remain, whatever their case.
    public var recipients: [String] = []
    /// They are or were due before this moment; what is held is not.
    public var dueBefore: Timestamp?
    /// Names or status codes of the last failure, such as `tlsa-invalid` or `4.7.323`.
    public var reasons: [String] = []
    /// Names or addresses of the host that failed last, or that is asked now.
    public var hosts: [String] = []

    /// Every entry.
    public init() {}

    /// Whether it has no condition.
    public var isEverything: Bool { self == QueueSelection() }

    /// The same in selections of so many messages that one page of each is read at once.
    public var parts: [QueueSelection] {
        guard self.messages.count > Self.messagesPerPart else { return [self] }
        return stride(from: 0, to: self.messages.count, by: Self.messagesPerPart).map { start in
            var part = self
            part.messages = Array(self.messages[start..<min(start + Self.messagesPerPart, self.messages.count)])
            return part
        }
    }

    private static let messagesPerPart = 200
    /// The most ids that are recorded one by one.
    private static let recordedMessages = 20

    /// The places where such entries are.
    var places: [QueueListing.Place] {
        self.states.isEmpty ? QueueListing.Place.allCases : QueueListing.Place.allCases.filter(self.mayBe(in:))
    }

    private func mayBe(in place: QueueListing.Place) -> Bool {
        switch place {
        // What waits less than an hour waits there, too.
        case .ready: self.states != [.held]
        case .deferred: self.states.contains(.deferred)
        case .held: self.states.contains(.held)
        }
    }
}

extension QueueSelection: CustomStringConvertible {
    /// As it is recorded, such as `domain=bravo.test state=deferred`.
    public var description: String {
        var parts = self.messages.prefix(Self.recordedMessages).map { "id=\($0)" }
        let unnamed = self.messages.count - parts.count
        if unnamed > 0 { parts.append("and \(unnamed) more ids") }
        parts += self.domains.map { "domain=\($0)" }
        parts += self.parents.map { "domain=*.\($0)" }
        parts += self.senders.map { "sender=<\($0)>" }
        parts += QueueListing.State.allCases.filter(self.states.contains).map { "state=\($0.rawValue)" }
        parts += self.recipients.map { "recipient=<\($0)>" } + self.reasons.map { "last-reason=\($0)" }
        parts += self.hosts.map { "host=\($0)" }
        if self.haveSender { parts.append("has-sender") }
        if let dueBefore { parts.append("due-before=\(dueBefore)") }
        if let arrivedBefore { parts.append("arrived-before=\(arrivedBefore)") }
        return parts.isEmpty ? "everything" : parts.joined(separator: " ")
    }
}
