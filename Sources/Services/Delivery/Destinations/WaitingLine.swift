/// Elements in the order in which they came, of which any may leave: each step takes constant time, on the average of many.
struct WaitingLine<Element: Hashable & Sendable>: Sendable {
    /// Those who left in the middle leave a gap. The first and the last are no gaps.
    private var slots: [Element?] = []
    private var head = 0
    private var positions: [Element: Int] = [:]

    var isEmpty: Bool { self.positions.isEmpty }

    var count: Int { self.positions.count }

    /// Who came first.
    var first: Element? { self.head < self.slots.count ? self.slots[self.head] : nil }

    /// Who came last.
    var last: Element? { self.slots.last ?? nil }

    func contains(_ element: Element) -> Bool { self.positions[element] != nil }

    /// So many of those who came first.
    func prefix(_ count: Int) -> [Element] { Array(self.slots[self.head...].lazy.compactMap(\.self).prefix(count)) }

    /// All, in their order.
    var elements: [Element] { self.slots[self.head...].compactMap(\.self) }

    /// It comes last, unless it is here already.
    mutating func append(_ element: Element) {
        guard self.positions[element] == nil else { return }
        self.positions[element] = self.slots.count
        self.slots.append(element)
    }

    /// It leaves; `false` when it was not here.
    @discardableResult
    mutating func remove(_ element: Element) -> Bool {
        guard let position = self.positions.removeValue(forKey: element) else { return false }
        self.slots[position] = nil
        while self.head < self.slots.count, self.slots[self.head] == nil { self.head += 1 }
        while let last = self.slots.last, last == nil { self.slots.removeLast() }
        self.head = min(self.head, self.slots.count)
        if self.slots.count > 2 * self.positions.count + 32 { self.closeGaps() }
        return true
    }

    private mutating func closeGaps() {
        self.slots = self.elements.map { $0 }
        self.head = 0
        for (position, element) in self.slots.enumerated() { if let element { self.positions[element] = position } }
    }
}
