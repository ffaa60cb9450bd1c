/// A change that a replica has for a node: from one state of the cluster to a later one.
public struct WatchChange: Hashable, Sendable {
    /// The state that the change begins at. Zero: the change has every resource.
    public let base: UInt64
    /// The state that the change leads to.
    public let target: UInt64
    /// What differs.
    public let difference: StateDifference

    /// A change between two states.
    public init(base: UInt64, target: UInt64, difference: StateDifference) {
        self.base = base
        self.target = target
        self.difference = difference
    }
}
