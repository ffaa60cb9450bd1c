/// Where random values come from: an argument of all that needs any, so that a simulation can have them from its seed.
public struct RandomSource: RandomNumberGenerator, Sendable {
    private let draw: @Sendable () -> UInt64

    /// A source of what `draw` gives, which may be called from any thread.
    public init(_ draw: @escaping @Sendable () -> UInt64) { self.draw = draw }

    /// 64 random bits.
    public func next() -> UInt64 { self.draw() }
}
