public import LabPeers
public import MailModel

/// Each message of a load by its ids: whether it was acknowledged, how often it arrived, and which attempts to deliver
/// it have no outcome.
///
/// A client knows a message by its Message-ID, the relay by an id of its own. The sinks read both: the relay's stands
/// in the field Received. So each copy is held against the record of the very message, and not totals against totals.
public struct FaultRecord: Sendable {
    private var acknowledged: Set<String> = []
    private var arrivals: [String: [ScriptedArrival]] = [:]
    private var uncertain: [MessageID: Set<UncertainAttempt>] = [:]

    /// Nothing is known yet.
    public init() {}

    /// These Message-IDs were answered 250.
    public mutating func acknowledge(_ ids: some Sequence<String>) { self.acknowledged.formUnion(ids) }

    /// These messages arrived at a sink that keeps arrivals. Give all of each sink's once, in the end.
    public mutating func arrived(_ arrivals: some Sequence<ScriptedArrival>) {
        for arrival in arrivals { self.arrivals[arrival.messageID, default: []].append(arrival) }
    }

    /// These attempts have no outcome, or their final reply was lost.
    public mutating func interrupted(_ attempts: some Sequence<UncertainAttempt>) {
        for attempt in attempts { self.uncertain[attempt.message, default: []].insert(attempt) }
    }

    /// The arrivals of one message, in the order in which they were told.
    public func arrivals(of messageID: String) -> [ScriptedArrival] { self.arrivals[messageID, default: []] }

    /// What is to be said when the queue is empty.
    public var verdict: FaultVerdict {
        let copies = self.arrivals.values.filter { $0.count > 1 }
        return FaultVerdict(
            acknowledged: self.acknowledged.count,
            lost: self.acknowledged.filter { self.arrivals[$0] == nil }.sorted(),
            copies: copies.reduce(0) { $0 + $1.count - 1 },
            unexplained: copies.flatMap { self.unexplained($0) }.sorted())
    }

    /// The second copies among the arrivals of one message that no uncertain attempt accounts for, one text each.
    private func unexplained(_ arrivals: [ScriptedArrival]) -> [String] {
        let byQueueID = Dictionary(grouping: arrivals, by: \.queueID)
        let name = arrivals.first?.messageID ?? ""
        // Nobody sent it twice, so the relay must have stored it twice.
        var texts = Array(repeating: "\(name): queued \(byQueueID.count) times", count: byQueueID.count - 1)
        for (queueID, copies) in byQueueID {
            let attempts = queueID.flatMap { self.uncertain[$0] } ?? []
            let surplus = copies.count - 1 - attempts.count
            guard surplus > 0 else { continue }
            let senders = copies.map(\.client).joined(separator: ", ")
            let text =
                "\(name) (\(queueID.map { "\($0)" } ?? "not by a relay")): \(copies.count) copies from \(senders), "
                + "\(attempts.count) uncertain attempts"
            texts += Array(repeating: text, count: surplus)
        }
        return texts
    }
}

/// What the ids prove.
public struct FaultVerdict: Hashable, Sendable {
    /// Messages answered 250.
    public let acknowledged: Int
    /// The Message-IDs of those that never arrived.
    public let lost: [String]
    /// Second copies that arrived.
    public let copies: Int
    /// Those among them that belong to no attempt of that message without an outcome, a text for each.
    public let unexplained: [String]
}

/// An attempt to deliver a message after which nobody knows whether it was delivered.
public struct UncertainAttempt: Hashable, Sendable {
    /// The message.
    public let message: MessageID
    /// The recipients' domain.
    public let domain: String
    /// Which attempt, from 1.
    public let attempt: Int

    /// An attempt.
    public init(message: MessageID, domain: String, attempt: Int) {
        self.message = message
        self.domain = domain
        self.attempt = attempt
    }
}
