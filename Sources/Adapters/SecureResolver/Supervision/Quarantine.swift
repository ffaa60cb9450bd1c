/// A question as libunbound takes it: a name without its trailing dot, empty for the root, and a type.
struct LookupQuestion: Hashable, Sendable {
    let name: String
    let type: UInt16

    /// The names above it that have two labels at least: those a stranger may own.
    var ancestors: [Substring] {
        var names: [Substring] = []
        var rest = self.name[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if rest.contains(".") { names.append(rest) }
        }
        return names
    }
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
    /// How many of them there are below each name.
    private var below: [Substring: Int] = [:]

    init(_ limits: ResolverLimits) { self.limits = limits }

    /// How many questions are remembered.
    var count: Int { self.entries.count }

    /// When the question may be asked again, where that is not now.
    func end(of question: LookupQuestion, at now: Instant) -> Instant? {
        guard let entry = self.entries[question], now < entry.end else { return nil }
        return entry.end
    }

    /// Whether a question is to be asked in a child of its own: it was here before, or too many of its neighbours were.
    func suspects(_ question: LookupQuestion) -> Bool {
        self.entries[question] != nil
            || question.ancestors.contains { self.below[$0, default: 0] >= self.limits.suspicious }
    }

    /// Takes a question in, and says for how long.
    mutating func add(_ question: LookupQuestion, at now: Instant) -> Duration {
        let times = self.entries[question].map { $0.times + 1 } ?? 1
        if self.entries[question] == nil {
            self.makeRoom()
            for name in question.ancestors { self.below[name, default: 0] += 1 }
        }
        // Beyond so many doublings the longest time is passed.
        let time = min(self.limits.firstQuarantine * (1 << min(times - 1, 16)), self.limits.longestQuarantine)
        self.entries[question] = Entry(end: now + time, times: times)
        return time
    }

    /// The question was answered after its time, and the child lives.
    mutating func answered(_ question: LookupQuestion) {
        guard self.entries.removeValue(forKey: question) != nil else { return }
        for name in question.ancestors {
            let left = self.below[name, default: 1] - 1
            self.below[name] = left > 0 ? left : nil
        }
    }

    private mutating func makeRoom() {
        guard self.entries.count >= self.limits.quarantined,
            let first = self.entries.min(by: { $0.value.end < $1.value.end })
        else { return }
        self.answered(first.key)
    }
}
