import DANE

/// Questions that were asked past the caches, of which the child at work may know older answers.
///
/// libunbound keeps those for as long as their TTL was, and nothing makes it forget them. Where the new answer has the shorter
/// TTL, the old one would come back. So the child is replaced before it is asked for one of them, which costs its whole
/// cache; strangers can cause that, so it happens once in `pause` at most.
struct RenewedQuestions {
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
    /// So many questions, and the child is replaced.
    static let most = 1_024
    static let refusal = "it was asked anew, and the resolver that may know an older answer is not replaced yet"

    private var questions: Set<DNSQuestion> = []
    private var lastReplaced: ContinuousClock.Instant?

    /// This one was asked past the caches. Whether the child is to be replaced now.
    mutating func renewed(_ question: DNSQuestion) -> Bool {
        self.questions.insert(question)
        return self.questions.count >= Self.most
    }

    /// The child at work is to be asked this.
    func asked(_ question: DNSQuestion, at now: ContinuousClock.Instant) -> OnQuestion {
        guard self.questions.contains(question) else { return .ask }
        if let lastReplaced, now - lastReplaced < Self.pause { return .refuse }
        return .replaceFirst
    }

    /// Another child is at work, which knows nothing.
    mutating func replaced(at now: ContinuousClock.Instant) {
        self.questions = []
        self.lastReplaced = now
    }
}
