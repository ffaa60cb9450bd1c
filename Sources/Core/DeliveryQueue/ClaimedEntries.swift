/// The entries of one destination that were read and are not concluded: those that wait for a worker, and those under way.
///
/// A sweep may show an entry that was read before, or that was concluded while the reading was under way. Neither is
/// taken a second time.
struct ClaimedEntries<Entry: Identifiable & Hashable & Sendable>: Hashable, Sendable where Entry.ID: Sendable {
    /// Read and not yet taken by a worker: two pages, and those that workers gave back.
    private(set) var pending: [Entry] = []
    private var known: Set<Entry.ID> = []
    private var concludedMeanwhile: Set<Entry.ID> = []
    private var isReading = false

    mutating func readingBegan() { self.isReading = true }

    /// These were read; `nil` when that failed, or they are not wanted any more.
    mutating func readingEnded(_ entries: [Entry]?) {
        self.pending += (entries ?? []).filter { self.known.insert($0.id).inserted }
        self.isReading = false
        self.known.subtract(self.concludedMeanwhile)
        self.concludedMeanwhile.removeAll()
    }

    /// The first of those that need not come last, or else the first. What was read is bounded, so the others wait for
    /// no more than two pages.
    mutating func take(last comesLast: (Entry) -> Bool) -> Entry? {
        let first = self.pending.firstIndex { !comesLast($0) } ?? self.pending.indices.first
        return first.map { self.pending.remove(at: $0) }
    }

    /// A worker gives an entry back, which is the next to be taken.
    mutating func putBack(_ entry: Entry) { self.pending.insert(entry, at: 0) }

    /// The entry is no longer ours to deal with: another reading may bring it again.
    mutating func concluded(_ id: Entry.ID) {
        if self.isReading { self.concludedMeanwhile.insert(id) } else { self.known.remove(id) }
    }

    /// Forgets those that nobody has taken; they stay where they were read.
    mutating func dropPending() {
        for entry in self.pending { self.concluded(entry.id) }
        self.pending.removeAll()
    }
}
