/// What is claimed from the queue, and delivered.
public protocol ClaimableEntry: Identifiable, Hashable, Sendable where ID: Sendable {
    /// It is taken when no others wait, and its delivery needs a part of a share that all destinations have in common.
    var comesLast: Bool { get }
}

/// The entries of one destination that were read and are not finished: those that wait for a worker, and those under
/// way.
///
/// A sweep may show an entry that was read before, or that was finished while the reading was under way. Neither is
/// taken a second time.
struct ClaimedEntries<Entry: ClaimableEntry>: Hashable, Sendable {
    /// Read and not yet taken by a worker: two pages, and those that workers gave back. Without those that come last.
    private(set) var pending: [Entry] = []
    /// Likewise, those that come last: no more than two pages.
    private(set) var pendingLast: [Entry] = []
    private var known: Set<Entry.ID> = []
    private var finishedMeanwhile: Set<Entry.ID> = []
    private var isReading = false

    /// Nothing waits for a worker.
    var isEmpty: Bool { self.pending.isEmpty && self.pendingLast.isEmpty }

    /// How many wait for a worker.
    var count: Int { self.pending.count + self.pendingLast.count }

    mutating func readingBegan() { self.isReading = true }

    /// These were read; `nil` when that failed, or they are not wanted any more.
    ///
    /// - Parameter limit: the most entries that come last to be kept.
    /// - Returns: whether others were left out, which stay where they were read.
    mutating func readingEnded(_ entries: [Entry]?, keepingLast limit: Int) -> Bool {
        var areAllKept = true
        for entry in entries ?? [] where !self.known.contains(entry.id) {
            if entry.comesLast, self.pendingLast.count >= limit {
                areAllKept = false
                continue
            }
            self.known.insert(entry.id)
            if entry.comesLast { self.pendingLast.append(entry) } else { self.pending.append(entry) }
        }
        self.isReading = false
        self.known.subtract(self.finishedMeanwhile)
        self.finishedMeanwhile.removeAll()
        return !areAllKept
    }

    /// The first of those that need not come last, or else the first.
    mutating func take() -> Entry? {
        if !self.pending.isEmpty { return self.pending.removeFirst() }
        return self.pendingLast.isEmpty ? nil : self.pendingLast.removeFirst()
    }

    /// A worker gives an entry back, which is the next of its kind to be taken.
    mutating func putBack(_ entry: Entry) {
        if entry.comesLast { self.pendingLast.insert(entry, at: 0) } else { self.pending.insert(entry, at: 0) }
    }

    /// The entry is no longer ours to deal with: another reading may bring it again.
    mutating func finished(_ id: Entry.ID) {
        if self.isReading { self.finishedMeanwhile.insert(id) } else { self.known.remove(id) }
    }

    /// Forgets those that nobody has taken; they stay where they were read.
    mutating func dropPending() {
        for entry in self.pending { self.finished(entry.id) }
        self.pending.removeAll()
        self.dropPendingLast()
    }

    /// Forgets those of them that come last.
    mutating func dropPendingLast() {
        for entry in self.pendingLast { self.finished(entry.id) }
        self.pendingLast.removeAll()
    }
}
