import DNSModel

/// Which questions are asked past all caches, as strangers cause it by records that do not match: each takes a process for a moment.
///
/// Of one name it is once in `pause`, and more rarely while nothing new is found. All names together share a number of
/// times, and those of one domain have no more of them than `DomainShares` allows. So a stranger leaves some to others.
struct FreshLookups {
    typealias Instant = ContinuousClock.Instant

    /// Between two of one question; doubled each time that the last found what was known, or nothing.
    static let pause = Duration.seconds(300)
    /// The longest such time.
    static let longestPause = Duration.seconds(14_400)
    /// Within one `pause`, of all questions together.
    static let most = 60
    /// At the same time.
    static let atOnce = 4
    /// How long one may take: whoever is silent holds up others.
    static let deadline = Duration.seconds(10)

    private struct Entry {
        var begun: Instant
        var pause: Duration
        /// It is one of the `most`.
        var counts = true
    }

    /// Those whose pause is not long over: no more than `most` are added in each `pause`.
    private var entries: [DNSQuestion: Entry] = [:]
    private var shares = DomainShares()
    private var underWay = DomainShares()

    /// Whether this question may be asked now; if so, `ended` is to follow.
    mutating func begin(_ question: DNSQuestion, at now: Instant) -> Bool {
        self.forget(at: now)
        let last = self.entries[question]
        if let last, now - last.begun < last.pause { return false }
        guard self.underWay.take(question.name, of: Self.atOnce) else { return false }
        guard self.shares.take(question.name, of: Self.most) else {
            self.underWay.giveBack(question.name)
            return false
        }
        self.entries[question] = Entry(begun: now, pause: last?.pause ?? Self.pause)
        return true
    }

    /// One was answered, or was not.
    ///
    /// - Parameter foundNews: the answer was another than the known one.
    mutating func ended(_ question: DNSQuestion, foundNews: Bool) {
        self.underWay.giveBack(question.name)
        guard let pause = self.entries[question]?.pause else { return }
        self.entries[question]?.pause = foundNews ? Self.pause : min(pause * 2, Self.longestPause)
    }

    private mutating func forget(at now: Instant) {
        for (question, entry) in self.entries {
            if entry.counts, now - entry.begun >= Self.pause {
                self.shares.giveBack(question.name)
                self.entries[question]?.counts = false
            }
            if now - entry.begun >= entry.pause * 2 { self.entries[question] = nil }
        }
    }
}

extension DNSAnswer {
    /// Whether both are the same answer, in whatever order the records came.
    func saysTheSame(as other: DNSAnswer) -> Bool {
        if case .found(let records, let state, let aliases) = self,
            case .found(let others, let otherState, let otherAliases) = other
        {
            return Set(records) == Set(others) && state == otherState && aliases == otherAliases
        }
        return self == other
    }
}
