import MailModel

/// What is still to happen, the earliest first; of what happens at the same moment, what was planned first.
struct EventHeap {
    struct Event {
        let at: MonotonicInstant
        let number: Int
        let action: () -> Void

        func precedes(_ other: Event) -> Bool {
            self.at == other.at ? self.number < other.number : self.at < other.at
        }
    }

    private var events: [Event] = []
    private var planned = 0

    /// When the next event is; `nil` when nothing is to happen.
    var next: MonotonicInstant? { self.events.first?.at }

    mutating func insert(at: MonotonicInstant, _ action: @escaping () -> Void) {
        self.planned += 1
        self.events.append(Event(at: at, number: self.planned, action: action))
        var index = self.events.count - 1
        while index > 0, self.events[index].precedes(self.events[(index - 1) / 2]) {
            self.events.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func removeFirst() -> Event? {
        guard let first = self.events.first, let last = self.events.popLast() else { return nil }
        guard !self.events.isEmpty else { return first }
        self.events[0] = last
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < self.events.count {
                if self.events[child].precedes(self.events[least]) { least = child }
            }
            if least == index { return first }
            self.events.swapAt(index, least)
            index = least
        }
    }
}
