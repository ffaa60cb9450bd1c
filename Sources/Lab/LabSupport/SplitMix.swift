/// SplitMix64, so that what a test does at random can be done again from its seed.
public struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The sequence that belongs to this seed.
    public init(seed: UInt64) { self.state = seed }

    /// The next value.
    public mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

extension SplitMix {
    /// A time between these, in whole milliseconds.
    public mutating func duration(_ range: ClosedRange<Duration>) -> Duration {
        let (low, high) = (range.lowerBound / .milliseconds(1), range.upperBound / .milliseconds(1))
        return .milliseconds(Int64(Double.random(in: low...high, using: &self)))
    }
}
