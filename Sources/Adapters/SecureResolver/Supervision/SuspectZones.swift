/// The names whose questions are asked in a child of their own, one at a time, since several children died with questions for them.
/// It holds for questions that end a child only together with others too: those are answered when asked alone.
///
/// Each death is shared among the names that were asked about when it happened. What a name is blamed for counts for
/// those above it as well. A name with enough blame is suspected, with all below it. The blame of names below is then
/// taken from the names above: `co.uk` is not suspected for what was asked below `evil.co.uk`. Names of one label never
/// count, and those of two need more, since they may be a registry's.
///
/// A pure value that is told the time.
struct SuspectZones {
    typealias Instant = ContinuousClock.Instant

    private struct Entry {
        var blame: Double
        var last: Instant
        var isSuspected = false
    }

    private let limits: ResolverLimits
    private var entries: [Substring: Entry] = [:]

    init(_ limits: ResolverLimits) { self.limits = limits }

    /// How many names are remembered.
    var count: Int { self.entries.count }

    /// A child died that had these questions, any two of which may have ended it.
    ///
    /// - Parameter share: how much of a death is to be shared out.
    /// - Returns: the names that are suspected from now on.
    mutating func died(with questions: some Sequence<LookupQuestion>, share: Double = 1, at now: Instant) -> [String] {
        let names = Set(questions.map(\.name)).filter { $0.contains(".") }
        guard !names.isEmpty else { return [] }
        self.evict(at: now)
        let blame = share / Double(names.count)
        for name in names {
            for name in name[...].namesUpward { self.add(blame, to: name, at: now) }
        }
        return names.sorted().flatMap { self.suspect(from: $0[...]) }
    }

    /// Whether a question is to be asked in a child of its own.
    func suspects(_ question: LookupQuestion, at now: Instant) -> Bool {
        guard !self.entries.isEmpty else { return false }
        return question.name[...].namesUpward.contains { name in
            self.entries[name].map { $0.isSuspected && !self.isOver($0, at: now) } ?? false
        }
    }

    private mutating func add(_ blame: Double, to name: Substring, at now: Instant) {
        let old = self.entries[name].flatMap { self.isOver($0, at: now) ? nil : $0 }
        guard old != nil || self.entries.count < self.limits.suspectNames else { return }
        var entry = old ?? Entry(blame: 0, last: now)
        entry.blame += blame
        entry.last = now
        self.entries[name] = entry
    }

    /// Suspects the names of a line that have enough blame, up to the lowest that stands for others.
    private mutating func suspect(from name: Substring) -> [String] {
        let names = name.namesUpward
        var suspected: [String] = []
        for (index, name) in names.enumerated() where self.isGuilty(name) {
            if self.entries[name]?.isSuspected == false {
                self.entries[name]?.isSuspected = true
                suspected.append(String(name))
            }
            guard index > 0, let explained = self.entries[name]?.blame else { continue }
            for above in names[(index + 1)...] {
                let blame = self.entries[above]?.blame ?? 0
                self.entries[above]?.blame = max(0, blame - explained)
            }
            break
        }
        return suspected
    }

    private func isGuilty(_ name: Substring) -> Bool {
        guard let entry = self.entries[name] else { return false }
        let isShort = name.count { $0 == "." } == 1
        return entry.isSuspected || entry.blame >= (isShort ? self.limits.blameOfShortName : self.limits.blame)
    }

    private func isOver(_ entry: Entry, at now: Instant) -> Bool { now - entry.last >= self.limits.firstQuarantine }

    /// What is over goes, then what has little blame, then all that is not suspected.
    private mutating func evict(at now: Instant) {
        let limits = self.limits
        let isKept: [(Entry) -> Bool] = [
            { now - $0.last < limits.firstQuarantine }, { $0.isSuspected || $0.blame >= limits.blame / 4 },
            { $0.isSuspected },
        ]
        for isKept in isKept where self.entries.count >= self.limits.suspectNames / 2 {
            self.entries = self.entries.filter { isKept($0.value) }
        }
    }
}

extension Substring {
    /// The name and those above it that have two labels at least, the lowest first.
    fileprivate var namesUpward: [Substring] {
        var names: [Substring] = []
        var rest = self
        while let dot = rest.firstIndex(of: ".") {
            names.append(rest)
            rest = rest[rest.index(after: dot)...]
        }
        return names
    }
}
