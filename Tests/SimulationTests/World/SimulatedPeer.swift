import DNSModel
import MailModel

@testable import Delivery
@testable import SMTPProtocol

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
        case refused(AttemptOutcome, after: Duration)
        /// Taken, but the reply never comes; the connection's end is noticed so much later.
        case lost(after: Duration)
    }

    let domain: DomainName
    let address: IPAddress
    private let world: World
    private let unit: Duration
    private(set) var mood = Mood.healthy

    init(_ domain: DomainName, at address: IPAddress, world: World, unit: Duration) {
        self.domain = domain
        self.address = address
        self.world = world
        self.unit = unit
    }

    /// Its name.
    var host: DomainName? { DomainName("mx.\(self.domain)") }

    /// What the DNS is asked for it.
    var question: DNSQuestion { DNSQuestion(self.domain, .mx) }

    func become(_ mood: Mood) {
        self.mood = mood
        self.world.note("\(self.domain) is \(mood)")
    }

    // MARK: - Conversation

    /// Why no connection is to be had.
    var failureToConnect: HostFailure? {
        switch self.mood {
        case .dead: HostFailure(.connectionRefused, "simulated")
        case .insecure: HostFailure(.tlsaInvalid, "simulated")
        default: nil
        }
    }

    /// Its answer to each of so many recipients: `nil` is yes.
    func answers(to count: Int) -> [AttemptOutcome?] {
        (0..<count).map { _ in
            switch self.mood {
            case .refusing: Self.refusal
            case .choosy:
                switch self.world.int(0...2) {
                case 0: nil
                case 1: Self.deferral
                default: Self.refusal
                }
            default: nil
            }
        }
    }

    /// Why it closes the session at MAIL.
    func closing(uponNullSender isNullSender: Bool) -> HostFailure? {
        guard self.mood == .closesAll || self.mood == .closesReports && isNullSender else { return nil }
        return HostFailure(SMTPClientFailure.serviceClosing(Self.reply(421, "4.3.2", "not now"), at: .mail))
    }

    /// What it does with the final dot.
    func answerToDot() -> DotAnswer {
        let soon = self.world.duration(self.unit / 100...self.unit / 2)
        switch self.mood {
        case .losesReplies:
            return .lost(after: self.world.duration(self.unit / 2...self.unit * 20))
        case .slow: return .taken(after: self.world.duration(self.unit...self.unit * 25))
        case .defersContent: return .refused(Self.deferral, after: soon)
        default: return .taken(after: soon)
        }
    }

    /// What those hear whose message it takes.
    var acceptance: AttemptOutcome { Self.taken }

    private static let taken = AttemptOutcome(reply(250, "2.0.0", "taken"))
    private static let refusal = AttemptOutcome(reply(550, "5.1.1", "no such user"))
    private static let deferral = AttemptOutcome(reply(451, "4.3.0", "not now"))

    private static func reply(_ code: UInt16, _ status: String, _ text: String) -> RemoteReply {
        RemoteReply(SMTPReply(code, EnhancedStatusCode(status), text))
    }
}
