import ArgumentParser
import LabDatabase

struct TraceSearch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace-search",
        abstract: "Measure searches of the trace: by sender, recipient, domain, client, Message-ID, queue id and time.",
        discussion: """
            Fills the trace of a private PostgreSQL, with its partitions and indices, and asks it what operators ask, in their
            role. Exit code 1 if a search reads a partition of more than 1 MiB whole.
            """)

    @Option(name: .long, help: "Rows of the trace; there are 2.2 for each message.")
    var rows = 1_000_000

    @Option(name: .long, help: "Days that they are spread over, each a partition.")
    var days = 30

    @Option(name: .long, help: "Searches of each kind, each for a value of another message.")
    var searches = 200

    func validate() throws {
        guard self.rows >= 10_000, (1...365).contains(self.days), self.searches > 0 else {
            throw ValidationError("At least 10000 rows, 1 to 365 days, and one search.")
        }
    }

    func run() async throws {
        try await PrivatePostgres.withServer { server in
            let world = try await TraceWorld(server, rows: self.rows, days: self.days)
            defer { world.shutDown() }
            try await world.fill()
            let measured = try await TraceMeasurement(world: world, searches: self.searches).run()
            print((try await world.sizes() + ["", MeasuredSearch.head] + measured.map(\.text)).joined(separator: "\n"))
            let unserved = measured.filter { !$0.readsIndicesOnly }
            guard unserved.isEmpty else {
                Terminal.tell("without an index: \(unserved.map(\.name).joined(separator: ", "))")
                throw ExitCode.failure
            }
        }
    }
}
