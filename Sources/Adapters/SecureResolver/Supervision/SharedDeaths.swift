/// The names that several children died with, though each of their questions was answered when it was asked alone: two answers may
/// end a child together. Questions for such names are asked in a child of their own, one at a time.
///
/// A pure value that is told the time. A name stands for all names below it; those with one label, such as `com`, never count.
struct SharedDeaths {
    typealias Instant = ContinuousClock.Instant

    private struct Entry {
        var deaths: Int
        var last: Instant
    }

    private let limits: ResolverLimits
    private var entries: [String: Entry] = [:]

    init(_ limits: ResolverLimits) { self.limits = limits }

    /// How many names are remembered.
    var count: Int { self.entries.count }

    /// A child died that had these questions.
    ///
    /// - Returns: names that are asked for alone from now on; of several in one line only the uppermost.
    mutating func died(with questions: some Sequence<LookupQuestion>, at now: Instant) -> [String] {
        let names = Set(questions.flatMap(\.lineage))
        self.makeRoom(for: names.count, at: now)
        var suspected: Set<String> = []
        for name in names {
            var entry =
                self.entries[name].flatMap { self.isOver($0, at: now) ? nil : $0 } ?? Entry(deaths: 0, last: now)
            entry.deaths += 1
            entry.last = now
            guard self.entries[name] != nil || self.entries.count < self.limits.suspectedNames else { continue }
            self.entries[name] = entry
            if entry.deaths == self.limits.sharedDeaths { suspected.insert(name) }
        }
        return suspected.filter { name in
            !LookupQuestion(name: name, type: 0).ancestors.contains { suspected.contains(String($0)) }
        }.sorted()
    }

    /// Whether a question is to be asked in a child of its own.
    func suspects(_ question: LookupQuestion, at now: Instant) -> Bool {
        guard !self.entries.isEmpty else { return false }
        return question.lineage.contains { name in
            self.entries[name].map { $0.deaths >= self.limits.sharedDeaths && !self.isOver($0, at: now) } ?? false
        }
    }

    private func isOver(_ entry: Entry, at now: Instant) -> Bool { now - entry.last >= self.limits.firstQuarantine }

    /// What is over goes, then what was there once.
    private mutating func makeRoom(for count: Int, at now: Instant) {
        guard self.entries.count + count > self.limits.suspectedNames else { return }
        self.entries = self.entries.filter { !self.isOver($0.value, at: now) }
        guard self.entries.count + count > self.limits.suspectedNames else { return }
        self.entries = self.entries.filter { $0.value.deaths > 1 }
    }
}

extension LookupQuestion {
    /// The name itself and those above it, without those of one label.
    fileprivate var lineage: [String] { (self.name.contains(".") ? [self.name] : []) + self.ancestors.map(String.init) }
}
