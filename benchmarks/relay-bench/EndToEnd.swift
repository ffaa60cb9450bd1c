import ArgumentParser
import Foundation
import LabDatabase
import LabPeers
import LabRelay

/// How the results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

struct EndToEnd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure messages per second from a client over STARTTLS to a DANE-verified receiving host.",
        discussion: """
            The database is durable. One round of each system comes first and does not count; then the systems take
            turns. Nothing else should run on the machine.
            """)

    @OptionGroup var load: LoadOptions

    @Option(name: .long, help: "Rounds that count, for each system.")
    var rounds = 5

    @Flag(name: .long, help: "Take turns with Debian's Postfix in the same role. This takes root.")
    var withPostfix = false

    @Option(
        name: .long,
        help: "A parameter of Postfix's main.cf as name=value, over those that the README names; may be given again.")
    var postfixSet: [String] = []

    @Option(name: .long, help: "A setting of relayd as key=value in YAML; may be given again.")
    var set: [String] = []

    @Option(name: .shortAndLong, help: "table or json.")
    var output = OutputFormat.table

    func validate() throws {
        guard self.rounds > 0, self.load.arePositive else { throw ValidationError("Numbers must be above 0.") }
        for pair in self.set + self.postfixSet where !pair.contains("=") {
            throw ValidationError("\(pair) is not of the form name=value.")
        }
    }

    func run() async throws {
        var options = LabRelayOptions()
        options.durability = .durable
        options.settings = Dictionary(self.set.map(Self.split)) { $1 }
        let report = try await LabRelay.with([Self.sinkDomain], options) { lab in
            try await self.measure(lab)
        }
        switch self.output {
        case .table: print(report.table)
        case .json: print(try report.json)
        }
    }

    /// Keeps only the ids of what it takes, so that a long run does not fill the memory.
    private static var sinkDomain: LabDomain {
        var domain = LabDomain.dane(Bench.domain)
        domain.retention = .messageIDs
        return domain
    }

    private func measure(_ lab: LabRelay) async throws -> EndToEndReport {
        let relay = try await MeasuredSystem.relayd(of: lab)
        guard self.withPostfix else { return try await self.takeTurns([relay], lab) }
        return try await PostfixRival.with(lab, parameters: self.postfixSet.map(Self.split)) { rival in
            try await self.takeTurns([relay, try await MeasuredSystem.postfix(rival, lab)], lab)
        }
    }

    private func takeTurns(_ systems: [MeasuredSystem], _ lab: LabRelay) async throws -> EndToEndReport {
        let bench = Bench(load: self.load, sink: lab.peer(Bench.domain).server)
        var report = EndToEndReport(load: self.load, systems: systems.map { SystemReport(system: $0) })
        for round in 0...self.rounds {
            for (index, system) in systems.enumerated() {
                let result = try await bench.round(system)
                Terminal.tell("\(round == 0 ? "warm-up" : "round \(round)") \(system.name): \(result.line)")
                // Certificates, answers of the DNS and pages of the database are warm from here on.
                if round > 0 { report.systems[index].rounds.append(result) }
            }
        }
        return report
    }

    static func split(_ pair: String) -> (String, String) {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        return (parts[0], parts.count > 1 ? parts[1] : "")
    }
}

/// What the client sends in a round.
struct LoadOptions: ParsableArguments, Encodable {
    @Option(name: .long, help: "Connections at once.")
    var connections = 20

    @Option(name: .long, help: "Messages over each connection.")
    var messages = 10

    @Option(name: .long, help: "The size of a message in bytes, header included.")
    var size = 10_240

    var arePositive: Bool { self.connections > 0 && self.messages > 0 && self.size > 0 }
    /// Messages of one round.
    var total: Int { self.connections * self.messages }

    private enum EncodedKeys: String, CodingKey { case connections, messages, size }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: EncodedKeys.self)
        try container.encode(self.connections, forKey: .connections)
        try container.encode(self.messages, forKey: .messages)
        try container.encode(self.size, forKey: .size)
    }
}

/// Progress goes to standard error, so that standard output is the report alone.
enum Terminal {
    static func tell(_ line: String) {
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
    }
}
