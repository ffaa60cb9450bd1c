/// A question as libunbound takes it: a name without its trailing dot, empty for the root, and a type.
struct LookupQuestion: Hashable, Sendable {
    let name: String
    let type: UInt16
}

/// Questions that ended a resolver twice, and for how long nobody asks them; a pure value that is told the time.
struct Quarantine {
    typealias Instant = ContinuousClock.Instant

    private struct Entry {
        var end: Instant
        /// How often it was here.
        var times: Int
    }

    private let limits: ResolverLimits
    private var entries: [LookupQuestion: Entry] = [:]

    init(_ limits: ResolverLimits) { self.limits = limits }

    /// When the question may be asked again, where that is not now.
    func end(of question: LookupQuestion, at now: Instant) -> Instant? {
        guard let entry = self.entries[question], now < entry.end else { return nil }
        return entry.end
    }

    /// Whether a question was here before: then it is asked in a child of its own.
    func remembers(_ question: LookupQuestion) -> Bool { self.entries[question] != nil }

    /// Takes a question in, and says for how long.
    mutating func add(_ question: LookupQuestion, at now: Instant) -> Duration {
        let times = self.entries[question].map { $0.times + 1 } ?? 1
        if self.entries[question] == nil { self.evict() }
        // Beyond so many doublings the longest time is passed.
        let time = min(self.limits.firstQuarantine * (1 << min(times - 1, 16)), self.limits.longestQuarantine)
        self.entries[question] = Entry(end: now + time, times: times)
        return time
    }

    /// The question was answered after its time, and the child lives.
    mutating func answered(_ question: LookupQuestion) {
        self.entries[question] = nil
    }

    private mutating func evict() {
        guard self.entries.count >= self.limits.quarantined,
            let first = self.entries.min(by: { $0.value.end < $1.value.end })
        else { return }
        self.answered(first.key)
    }
}
