import Foundation
import Testing

/// Which seeds are run: new ones, or those that the environment asks for.
struct SimulationPlan {
    let first: UInt64
    let runs: Int
    let time: Duration
    /// Whether every history is executed on PostgreSQL too, and not only those that broke a promise.
    let isReplaying: Bool

    /// `RELAY_SIMULATION_SEED` is the first seed, and by itself the only one; `RELAY_SIMULATION_RUNS` says how many are run;
    /// `RELAY_SIMULATION_REPLAY` has each replayed.
    static let current: SimulationPlan = {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["RELAY_SIMULATION_SEED"].flatMap { UInt64($0) }
        let runs = environment["RELAY_SIMULATION_RUNS"].flatMap { Int($0) }
        return SimulationPlan(
            first: seed ?? UInt64.random(in: 0..<1 << 62), runs: runs ?? (seed == nil ? 1000 : 1),
            time: runs == nil ? .seconds(60) : .seconds(24 * 3600),
            isReplaying: environment["RELAY_SIMULATION_REPLAY"] != nil)
    }()

    /// Runs a seed again that broke a promise, and tells what happened, how to see it again, and whether PostgreSQL would have
    /// answered alike.
    static func tell(_ seed: UInt64) async {
        let simulation = Simulation(seed: seed, isJournalling: true)
        let violation = simulation.run() ?? "not broken when it was run again"
        let verdict: String
        do {
            let difference = try await Replay.difference(of: simulation, atMost: .max)
            verdict = difference.map { "PostgreSQL answers otherwise:\n\($0)" } ?? "PostgreSQL answers alike."
        } catch {
            verdict = "It could not be replayed: \(error)"
        }
        // Printed, since a long issue is cut off.
        for line in simulation.world.journal.suffix(150) { print(line) }
        Issue.record("\(violation)\n\(verdict)\nAgain: ops/simulate --seed \(seed)")
    }
}
