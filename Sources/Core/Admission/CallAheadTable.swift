package import MailModel
package import Routing

/// What the next hop of a domain says about one of its recipients.
package enum CallAheadVerdict: Hashable, Sendable {
    /// It would take mail for it.
    case exists
    /// It would not; this is what the client is told.
    case unknown(SMTPReply)
    /// Nobody could say.
    case unsure

    /// What a client is told where nobody could say, and the recipient is not accepted unasked.
    package static let notNow = SMTPReply(
        450, EnhancedStatusCode(.persistentTransientFailure, 1, 1),
        "Recipient cannot be verified now, try later")
}

/// One address as call-ahead knows it; case makes no difference. Answers of different next hops are kept apart.
package struct CallAheadAddress: Hashable, Sendable {
    package let mailbox: Mailbox
    package let domain: DomainName
    /// Who is asked.
    package let nextHop: NextHop
    private let folded: String

    package init(_ mailbox: Mailbox, of domain: DomainName, at nextHop: NextHop) {
        self.mailbox = mailbox
        self.domain = domain
        self.nextHop = nextHop
        self.folded = mailbox.localPart.lowercased()
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.domain == right.domain && left.folded == right.folded && left.nextHop == right.nextHop
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.domain)
        hasher.combine(self.folded)
    }
}

/// Answers of next hops with their time to live, and questions under way: one for each address, whoever asks. A pure value
/// that is told the time; `Waiter` is whatever is to be told the verdict.
package struct CallAheadTable<Waiter> {
    /// The settings that concern it.
    package struct Limits: Hashable, Sendable {
        package var positiveTime: Duration
        package var negativeTime: Duration
        package var entries: Int
        /// Questions under way; one more is not asked, and its answer is "unsure".
        package var questions: Int
        /// Of those, the most about one domain.
        package var questionsPerDomain: Int
        /// Of those, the most about domains whose next hop has not answered lately, so that silent next hops leave some
        /// to others.
        package var unansweredQuestions: Int { max(1, self.questions / 2) }
        /// Of these, the most about one domain.
        package var unansweredQuestionsPerDomain: Int { max(1, self.questionsPerDomain / 4) }
        /// The most for domains about which a question is under way already: the rest is for each domain's first.
        package var laterQuestions: Int { max(1, self.questions - self.questions / 4) }

        package init(
            positiveTime: Duration, negativeTime: Duration, entries: Int, questions: Int = 1024,
            questionsPerDomain: Int = 64
        ) {
            self.positiveTime = positiveTime
            self.negativeTime = negativeTime
            self.entries = entries
            self.questions = questions
            self.questionsPerDomain = questionsPerDomain
        }
    }

    /// Why a question is not asked. Too many are under way, of all, about its domain, or about domains whose next hop
    /// has not answered lately.
    package enum Refusal: Hashable { case all(Int), domain(Int), unanswered(Int) }

    /// What was heard of the next hop.
    package enum Hearing: Hashable {
        /// It answered, whatever it said.
        case answer
        /// It was asked, and said nothing.
        case silence
        /// It was not asked.
        case nothing
    }

    /// What becomes of a question.
    package enum Step: Equatable {
        /// This is the answer; nobody waits.
        case answer(CallAheadVerdict)
        /// Ask the next hop, and say `landed` under this number.
        case ask(question: UInt64)
        /// Somebody has asked already.
        case joined
        /// There are too many questions under way: nobody knows.
        case refused(Refusal)
    }

    private struct Question {
        let number: UInt64
        /// The next hop answered the last question.
        let isAnswering: Bool
        var waiters: [Waiter]
    }

    private let limits: Limits
    private var answers: ExpiringCache<CallAheadAddress, CallAheadVerdict>
    private var questions: [CallAheadAddress: Question] = [:]
    private var questionsOfDomain: [DomainName: Int] = [:]
    private var unansweredQuestions = 0
    /// Domains whose next hop answered the last question that came to an end; no more than are configured.
    private var answering: Set<DomainName> = []
    private var nextNumber: UInt64 = 0

    package init(_ limits: Limits) {
        self.limits = limits
        self.answers = ExpiringCache(maximumEntries: limits.entries)
    }

    /// What is known about an address without asking.
    package mutating func known(_ address: CallAheadAddress, at now: MonotonicInstant) -> CallAheadVerdict? {
        self.answers.value(of: address, at: now)
    }

    /// Somebody wants to know about an address.
    package mutating func asked(
        _ address: CallAheadAddress, by waiter: Waiter, at now: MonotonicInstant
    ) -> Step {
        if let known = self.known(address, at: now) { return .answer(known) }
        if self.questions[address] != nil {
            self.questions[address]?.waiters.append(waiter)
            return .joined
        }
        let isAnswering = self.isAnswering(address.domain)
        if let refusal = self.refusal(of: address.domain, isAnswering) { return .refused(refusal) }
        self.nextNumber += 1
        self.questions[address] = Question(number: self.nextNumber, isAnswering: isAnswering, waiters: [waiter])
        self.questionsOfDomain[address.domain, default: 0] += 1
        if !isAnswering { self.unansweredQuestions += 1 }
        return .ask(question: self.nextNumber)
    }

    private func refusal(of domain: DomainName, _ isAnswering: Bool) -> Refusal? {
        let ofDomain = self.questionsOfDomain[domain, default: 0]
        let ofAll = ofDomain == 0 ? self.limits.questions : self.limits.laterQuestions
        guard self.questions.count < ofAll else { return .all(ofAll) }
        // The first question of a domain is how it is found out whether its next hop answers.
        let isHeldBack = !isAnswering && ofDomain > 0
        let perDomain = isHeldBack ? self.limits.unansweredQuestionsPerDomain : self.limits.questionsPerDomain
        guard ofDomain < perDomain else { return .domain(perDomain) }
        guard isHeldBack, self.unansweredQuestions >= self.limits.unansweredQuestions else { return nil }
        return .unanswered(self.limits.unansweredQuestions)
    }

    /// A question has an answer; gives back who waits for it. An answer that comes after its deadline is kept all the same,
    /// and answers whoever has asked again.
    package mutating func landed(
        _ address: CallAheadAddress, question number: UInt64, _ verdict: CallAheadVerdict, hearing: Hearing,
        at now: MonotonicInstant
    ) -> [Waiter] {
        if hearing == .answer { self.answering.insert(address.domain) }
        switch verdict {
        case .exists: self.answers.store(verdict, of: address, until: now + self.limits.positiveTime)
        case .unknown: self.answers.store(verdict, of: address, until: now + self.limits.negativeTime)
        case .unsure where self.questions[address]?.number != number: return []
        case .unsure where hearing == .silence: self.answering.remove(address.domain)
        case .unsure: ()
        }
        guard let question = self.questions.removeValue(forKey: address) else { return [] }
        let left = (self.questionsOfDomain[address.domain] ?? 1) - 1
        self.questionsOfDomain[address.domain] = left > 0 ? left : nil
        if !question.isAnswering { self.unansweredQuestions -= 1 }
        return question.waiters
    }

    /// Whether the next hop of a domain answered the last question that came to an end.
    package func isAnswering(_ domain: DomainName) -> Bool { self.answering.contains(domain) }
}
