import ClusterModel
import DNSModel
import DeliveryQueue
import MailModel
import TestLiterals

@testable import Delivery
@testable import QueueStore
@testable import SMTPProtocol

extension QueueEntry {
    /// An entry of alice's for so many recipients at bravo.test, which arrived at second 0.
    static func of(
        _ recipients: [String] = ["bob@bravo.test"], sender: String = "alice@alpha.test", attempts: Int = 0,
        clientMayRelay: Bool = true
    ) -> QueueEntry {
        .to(
            recipients.map { QueueRecipient(address: $0) }, sender: sender, attempts: attempts,
            clientMayRelay: clientMayRelay)
    }

    /// The same, for recipients of whom more is known.
    static func to(
        _ recipients: [QueueRecipient], sender: String = "alice@alpha.test", attempts: Int = 0,
        clientMayRelay: Bool = true
    ) -> QueueEntry {
        var attributes = MessageAttributes()
        attributes.mayRelay = clientMayRelay
        return QueueEntry(
            key: EntryKey(shard: Shard(rawValue: 0), message: MessageID(high: 1, low: 2), domain: "bravo.test"),
            sender: sender, attributes: attributes, size: 100, arrival: Timestamp(seconds: 0),
            nextAttempt: Timestamp(seconds: 0), attempts: attempts,
            recipients: recipients, isDelayNotified: false, lastStatus: nil,
            lastReason: nil, openAttempt: nil, verdict: nil)
    }

    /// What becomes of it after an attempt that came to `report`.
    func decision(_ report: AttemptReport, atSecond second: Int64 = 60) -> EntryDecision {
        EntryDecision(
            report.outcomes, schedule: .standard, attempts: self.attempts + 1, arrival: self.arrival,
            now: Timestamp(seconds: second))
    }
}

extension RemoteReply {
    static let accepted = RemoteReply(250, EnhancedStatusCode(.success, 0, 0), "OK")
    static let busy = RemoteReply(450, EnhancedStatusCode(.persistentTransientFailure, 2, 1), "Busy")
    static let unknownUser = RemoteReply(550, EnhancedStatusCode(.permanentFailure, 1, 1), "No such user")
}

extension RemoteReply {
    /// A reply as a host gives it.
    init(_ code: UInt16, _ status: EnhancedStatusCode? = nil, _ lines: String...) {
        self.init(code, status, lines: lines)
    }

    init(_ code: UInt16, _ status: EnhancedStatusCode?, lines: [String]) {
        self.init(SMTPReply(code, status, lines: lines))
    }
}

extension AttemptOutcome {
    /// The outcomes by the replies that they come from.
    static func accepted(_ reply: RemoteReply, supportsDSN: Bool = false) -> Self {
        Self(reply, supportsDSN: supportsDSN)
    }
    static func refused(_ reply: RemoteReply) -> Self { Self(reply) }
    static func deferred(_ reply: RemoteReply) -> Self { .failed(DeliveryFailure(reply).madeTransient) }
    static func unsuitable(_ limitation: HostLimitation) -> Self { Self(limitation) }
}
