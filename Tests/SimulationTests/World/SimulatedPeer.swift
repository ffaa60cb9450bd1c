import DeliveryQueue
import MailModel

/// The one receiving host of a domain, and the domain's DNS.
final class SimulatedPeer {
    /// How it is at present.
    enum Mood: CaseIterable {
        case healthy
        /// Takes a message and its reply is lost.
        case losesReplies
        /// Answers the final dot late.
        case slow
        /// Some recipients are deferred, some refused.
        case choosy
        /// Every message is put off at its final dot.
        case defersContent
        /// The session is closed at MAIL, whoever sends.
        case closesAll
        /// The session is closed at MAIL for reports, whose sender is nobody.
        case closesReports
        /// Every recipient is refused for good.
        case refusing
        /// No connection.
        case dead
        /// DNS answers that the look-up failed.
        case noDNS
        /// DANE forbids it.
        case insecure
        /// The node's own resolver does not answer.
        case noResolver
    }

    /// What becomes of a final dot.
    enum DotAnswer {
        case taken(after: Duration)
        case refused(DeliveryFailure, after: Duration)
        /// Taken, but the reply never comes; the connection's end is noticed so much later.
        case lost(after: Duration)
    }

    let domain: DomainName
    private let world: World
    private let unit: Duration
    private(set) var mood = Mood.healthy

    init(_ domain: DomainName, world: World, unit: Duration) {
        self.domain = domain
        self.world = world
        self.unit = unit
    }

    func become(_ mood: Mood) {
        self.mood = mood
        self.world.note("\(self.domain) is \(mood)")
    }

    // MARK: - Conversation

    /// What fails before anybody is asked for a recipient.
    var unreachable: DeliveryFailure? {
        switch self.mood {
        case .dead: self.failure(.general, 4, 1, .noUsableRoute, host: nil)
        case .noDNS: self.failure(.general, 4, 312, .dnsQueryFailed, host: nil)
        case .insecure: self.failure(.security, 7, 323, .tlsaInvalid, host: "mx.\(self.domain)")
        default: nil
        }
    }

    /// Its answer to each recipient: `nil` is yes.
    func answers(to recipients: [QueueRecipientAddress]) -> [DeliveryFailure?] {
        recipients.map { _ in
            switch self.mood {
            case .refusing: self.refusal
            case .choosy:
                switch self.world.int(0...2) {
                case 0: nil
                case 1: self.failure(.general, 2, 2, .remoteReply, host: "mx.\(self.domain)")
                default: self.refusal
                }
            default: nil
            }
        }
    }

    /// Why it closes the session upon a message of this sender.
    func closing(upon sender: String) -> DeliveryFailure? {
        switch self.mood {
        case .closesAll: self.failure(.general, 3, 2, .remoteReply, host: "mx.\(self.domain)")
        case .closesReports where sender.isEmpty:
            self.failure(.general, 7, 0, .remoteReply, host: "mx.\(self.domain)")
        default: nil
        }
    }

    /// What it does with the final dot.
    func answerToDot() -> DotAnswer {
        let soon = self.world.duration(self.unit / 100...self.unit / 2)
        switch self.mood {
        case .losesReplies:
            return .lost(after: self.world.duration(self.unit / 2...self.unit * 20))
        case .slow: return .taken(after: self.world.duration(self.unit...self.unit * 25))
        case .defersContent:
            return .refused(self.failure(.general, 3, 0, .remoteReply, host: "mx.\(self.domain)"), after: soon)
        default: return .taken(after: soon)
        }
    }

    var acceptance: Acceptance {
        Acceptance(host: "mx.\(self.domain)", reply: "250 2.0.0 taken", takesOverReports: false)
    }

    private var refusal: DeliveryFailure {
        DeliveryFailure(
            failureClass: .general, status: EnhancedStatusCode(.permanentFailure, 1, 1), reason: .remoteReply,
            text: "no such user", reply: "550 5.1.1 no such user", host: "mx.\(self.domain)")
    }

    private func failure(
        _ failureClass: DeliveryFailure.FailureClass, _ subject: UInt16, _ detail: UInt16, _ reason: FailureReason,
        host: String?
    ) -> DeliveryFailure {
        DeliveryFailure(
            failureClass: failureClass, status: EnhancedStatusCode(.persistentTransientFailure, subject, detail),
            reason: reason, text: "simulated", host: host)
    }
}

/// A recipient's address, as stored.
typealias QueueRecipientAddress = String
