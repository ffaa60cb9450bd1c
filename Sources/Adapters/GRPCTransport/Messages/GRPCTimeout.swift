import GRPCCore

/// The value of `grpc-timeout`: at most 8 digits and a unit (control 18).
enum GRPCTimeout {
    static let key = "grpc-timeout"

    /// Nanoseconds of each unit, the finest first.
    private static let units: [(letter: Character, nanoseconds: Int128)] = [
        ("n", 1), ("u", 1_000), ("m", 1_000_000), ("S", 1_000_000_000), ("M", 60_000_000_000),
        ("H", 3_600_000_000_000),
    ]
    private static let most: Int128 = 99_999_999

    /// The duration that a value names; `nil` where it is malformed.
    static func parse(_ value: String) -> Duration? {
        guard let unit = Self.units.first(where: { $0.letter == value.last }) else { return nil }
        let digits = value.utf8.dropLast()
        guard 1...8 ~= digits.count, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        let count = digits.reduce(Int128(0)) { $0 * 10 + Int128($1 - UInt8(ascii: "0")) }
        return Duration(attoseconds: count * unit.nanoseconds * 1_000_000_000)
    }

    /// What an executor above tells by metadata: the time that is left of a call.
    static func told(by metadata: Metadata) -> Duration? {
        metadata[stringValues: Self.key].first { _ in true }.flatMap { Self.parse($0) }
    }

    /// The value for a duration, in the finest unit that has room, rounded up; a duration that has passed is `0n`.
    static func format(_ duration: Duration) -> String {
        let nanoseconds = max(0, duration.attoseconds / 1_000_000_000)
        for unit in Self.units {
            let count = (nanoseconds + unit.nanoseconds - 1) / unit.nanoseconds
            if count <= Self.most { return "\(count)\(unit.letter)" }
        }
        return "\(Self.most)H"
    }
}
