import ArgumentParser

struct Queue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the operations of the queue at several sizes of it.",
        discussion: """
            Fills a private, durable PostgreSQL with the rows that a relay would have made, and measures what a node does with
            them: through the same code, in the same role. With --dead-tuples it shows instead what claims cost while a
            foreign transaction keeps removed rows from being cleared away.
            """)

    @Option(name: .long, help: "Entries at which to measure, the fewest first; may be given again.")
    var entries: [Int] = [1000, 100_000, 1_000_000]

    @Option(name: .long, help: "Recipient domains; a tenth of all entries is for one that is held back.")
    var destinations = 20_000

    @Option(name: .long, help: "Bytes of a message's body.")
    var body = 1024

    @Option(name: .long, help: "Rows to put in and take out of one domain's queue under a foreign snapshot.")
    var deadTuples = 0

    @Flag(name: .long, help: "With --dead-tuples: leave out the maintenance that a node does.")
    var withoutMaintenance = false

    func validate() throws {
        guard self.entries == self.entries.sorted(), self.entries.allSatisfy({ $0 >= 1000 }), self.destinations > 0,
            (0...65_536).contains(self.body), self.deadTuples >= 0
        else { throw ValidationError("Entries must go up from 1000, and numbers be above 0.") }
    }

    func run() async throws {
        try await QueueWorld.with(destinations: self.destinations, body: self.body) { world in
            if self.deadTuples > 0 {
                try await world.fill(to: self.entries.last ?? 1000)
                try await DeadTuples(world: world, count: self.deadTuples, hasMaintenance: !self.withoutMaintenance)
                    .run()
            } else {
                print(try await self.measure(world))
            }
        }
    }

    private func measure(_ world: QueueWorld) async throws -> String {
        var columns: [[(String, String)]] = []
        for size in self.entries {
            try await world.fill(to: size)
            Terminal.tell("\(size) entries are there")
            columns.append(try await QueueMeasurement(world: world).run())
        }
        let names = columns.first?.map(\.0) ?? []
        var lines = ["milliseconds: median / 99th percentile / most"]
        lines.append(Self.line("", self.entries.map { "\($0) entries" }))
        for (row, name) in names.enumerated() { lines.append(Self.line(name, columns.map { $0[row].1 })) }
        return lines.joined(separator: "\n")
    }

    private static func line(_ name: String, _ cells: [String]) -> String {
        ([name] + cells).enumerated().map { index, cell in
            cell + String(repeating: " ", count: max(1, (index == 0 ? 44 : 28) - cell.count))
        }.joined()
    }
}
