import DNSModel
import MailModel

/// Questions to which another answer was found past the caches, while the child at work may still know the old one.
///
/// libunbound keeps that for as long as its TTL was, and nothing makes it forget it. Where the new answer has the shorter
/// TTL, the old one would come back. So the child is replaced before it is asked for one of them, which costs its whole
/// cache. Strangers can cause that, so it happens once in `pause` at most, and once in `pauseOfDomain` for one domain.
struct RenewedQuestions {
    typealias Instant = ContinuousClock.Instant

    enum OnQuestion: Equatable {
        /// The child at work knows nothing older.
        case ask
        /// It is to be replaced, and then asked.
        case replaceFirst
        /// It was replaced a moment ago, and cannot be asked before it is replaced again. That costs no step of the schedule.
        case refuse
    }

    /// Between two replacements for this reason.
    static let pause = Duration.seconds(60)
    /// Between two for names of one domain, which is a name of two labels.
    static let pauseOfDomain = Duration.seconds(3_600)
    /// So many questions, and the child is replaced.
    static let most = 1_024
    static let refusal = "it was asked anew, and the resolver that may know an older answer is not replaced yet"
    /// libunbound keeps nothing for longer.
    private static let longestLife = Duration.seconds(86_400)

    private var questions: [DNSQuestion: Timestamp] = [:]
    private var lastReplaced: Instant?
    /// Domains for which the child was replaced lately: one in each `pause` at most.
    private var causes: [Substring: Instant] = [:]

    /// When the child will have forgotten an old answer that was kept until `end`.
    static func end(of old: DNSAnswer, keptUntil end: Timestamp, at now: Timestamp) -> Timestamp {
        switch old {
        case .found(_, _, aliases: []), .absent(_, _, aliases: []), .failed: end
        // An alias lives by a TTL of its own.
        case .found, .absent: now + Self.longestLife
        }
    }

    /// This one was asked past the caches; the child knows an older answer until `end`. Whether it is to be replaced now.
    mutating func renewed(_ question: DNSQuestion, until end: Timestamp) -> Bool {
        self.questions[question] = end
        return self.questions.count >= Self.most
    }

    /// The child at work is to be asked this.
    mutating func asked(_ question: DNSQuestion, at instant: Instant, _ now: Timestamp) -> OnQuestion {
        guard let end = self.questions[question] else { return .ask }
        guard now < end else {
            self.questions[question] = nil
            return .ask
        }
        if let lastReplaced, instant - lastReplaced < Self.pause { return .refuse }
        self.causes = self.causes.filter { instant - $0.value < Self.pauseOfDomain }
        let domain = DomainShares.domain(of: question.name)
        guard self.causes[domain] == nil else { return .refuse }
        self.causes[domain] = instant
        return .replaceFirst
    }

    /// Another child is at work, which knows nothing.
    mutating func replaced(at now: Instant) {
        self.questions = [:]
        self.lastReplaced = now
    }
}
