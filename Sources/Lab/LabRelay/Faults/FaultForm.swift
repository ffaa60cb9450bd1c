import Foundation
public import LabSupport

/// How long the tests of faults take: well under a minute each. Where `RELAY_FAULTS` is `long`, they take as long as it
/// takes to meet the rare instants too. `ops/faults` runs them so.
public enum FaultForm: Sendable {
    case short, long

    /// What the environment asks for.
    public static let current: FaultForm =
        ProcessInfo.processInfo.environment["RELAY_FAULTS"] == "long" ? .long : .short

    /// One of the two, as the environment asks.
    public static func choose<Value>(short: Value, long: Value) -> Value {
        switch Self.current {
        case .short: short
        case .long: long
        }
    }

    /// Randomness for one test. Its seed is printed; `RELAY_FAULT_SEED` gives the one of an earlier run.
    public static func random(for fault: String) -> SplitMix {
        let given = ProcessInfo.processInfo.environment["RELAY_FAULT_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: .min ... .max)
        print("\(fault): RELAY_FAULT_SEED=\(seed)")
        return SplitMix(seed: seed)
    }
}
