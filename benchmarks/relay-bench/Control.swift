import ArgumentParser
import LabRelay

struct Control: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure nodes at one controller: enrolment, changes, its restart, and a replica that takes over.",
        discussion: """
            The nodes are in this process, on the client of relayd; the controller is the program of the build folder. Exit
            code 1 if a node does not follow within 60 s after the controller's start, or a minute after a change.
            """)

    @OptionGroup var load: ControlLoad

    @Option(name: .shortAndLong, help: "table or json.")
    var output = OutputFormat.table

    func validate() throws {
        guard self.load.nodes > 0, self.load.domains >= 0, self.load.changes > 0, self.load.down >= 0 else {
            throw ValidationError("Give nodes and changes above 0.")
        }
    }

    func run() async throws {
        let report = try await LabController.with { cluster in
            try await ControlMeasurement(world: try ControlWorld(cluster, self.load), load: self.load).run()
        }
        switch self.output {
        case .table: print(report.table)
        case .json: print(try report.json)
        }
        guard report.isComplete else { throw ExitCode.failure }
    }
}

/// What the controller has to do.
struct ControlLoad: ParsableArguments, Encodable {
    @Option(name: .long, help: "Nodes.")
    var nodes = 200

    @Option(name: .long, help: "Domains of the cluster.")
    var domains = 1000

    @Option(name: .long, help: "Changes, one after the other.")
    var changes = 10

    @Option(name: .long, help: "Seconds for which the controller is away before it starts again.")
    var down = 5

    private enum EncodedKeys: String, CodingKey { case nodes, domains, changes, down }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: EncodedKeys.self)
        try container.encode(self.nodes, forKey: .nodes)
        try container.encode(self.domains, forKey: .domains)
        try container.encode(self.changes, forKey: .changes)
        try container.encode(self.down, forKey: .down)
    }
}
