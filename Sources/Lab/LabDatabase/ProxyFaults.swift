import LabSupport

/// What goes wrong on the way to a database: kept by a `PostgresProxy` and set by a test.
struct ProxyFaults {
    private struct Planned {
        let fault: PostgresProxy.Fault
        let marker: String
        var left: Int
    }

    private struct Chance {
        let faults: [PostgresProxy.Fault]
        let oneIn: Int
        var random: SplitMix
    }

    private var planned: [Planned] = []
    private var chance: Chance?
    var refuses = false
    var stalls = false
    private(set) var count = 0

    /// The next transactions, so many, in which a statement contains the text.
    mutating func plan(_ fault: PostgresProxy.Fault, marker: String, times: Int) {
        self.planned.append(Planned(fault: fault, marker: marker, left: times))
    }

    /// One transaction in so many of those that change something; `nil` ends that.
    mutating func disturb(_ faults: [PostgresProxy.Fault], oneIn: Int?, _ random: SplitMix) {
        self.chance = oneIn.map { Chance(faults: faults, oneIn: $0, random: random) }
    }

    mutating func judge(_ texts: [String]) -> PostgresConversation.Verdict {
        guard let fault = self.plannedFault(texts) ?? self.randomFault(texts) else { return .pass }
        self.count += 1
        switch fault {
        case .cutBeforeCommit: return .cutBeforeCommit
        case .loseReply: return .swallowReply
        }
    }

    private mutating func plannedFault(_ texts: [String]) -> PostgresProxy.Fault? {
        guard
            let index = self.planned.firstIndex(where: { planned in
                planned.left > 0 && texts.contains { $0.contains(planned.marker) }
            })
        else { return nil }
        self.planned[index].left -= 1
        return self.planned[index].fault
    }

    private mutating func randomFault(_ texts: [String]) -> PostgresProxy.Fault? {
        guard var chance = self.chance, texts.contains(where: Self.isWrite) else { return nil }
        defer { self.chance = chance }
        guard Int.random(in: 0..<chance.oneIn, using: &chance.random) == 0 else { return nil }
        return chance.faults.randomElement(using: &chance.random)
    }

    private static func isWrite(_ text: String) -> Bool {
        ["INSERT ", "UPDATE ", "DELETE "].contains { text.contains($0) }
    }
}
