/// How many deliveries of one destination go on at once.
///
/// It follows the site: a worker that gets no slot there while another has one, goes, and its entry is the other's. A
/// while later one more may try.
struct DestinationPace: Hashable, Sendable {
    private let maximum: Int
    private(set) var workers = 0
    /// Workers that have not come to take an entry yet.
    private(set) var starting = 0
    /// How many workers there may be at present.
    private(set) var window: Int
    private var isWidening = false
    private(set) var isResting = false

    init(maximum: Int) {
        self.maximum = max(1, maximum)
        self.window = self.maximum
    }

    mutating func hired() {
        self.workers += 1
        self.starting += 1
    }

    mutating func began() { self.starting -= 1 }

    mutating func left() { self.workers -= 1 }

    /// The site has no slot for one of the workers, which leaves. Whether a timer is to be set, to widen again.
    mutating func narrowed() -> Bool {
        self.window = max(1, self.workers - 1)
        guard !self.isWidening, self.window < self.maximum else { return false }
        self.isWidening = true
        return true
    }

    /// The timer fired: one more may try. Whether it is to be set again.
    mutating func widened() -> Bool {
        self.window = min(self.maximum, self.window + 1)
        self.isWidening = self.window < self.maximum
        return self.isWidening
    }

    /// Nothing is to be begun for a while. `false` when that was so before.
    mutating func rest() -> Bool {
        guard !self.isResting else { return false }
        self.isResting = true
        return true
    }

    mutating func rested() { self.isResting = false }
}
