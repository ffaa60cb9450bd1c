/// What has to be done to one state to make it another (control 3).
public struct StateDifference: Hashable, Sendable {
    /// Resources that are new or have another version, in order.
    public let changed: [ResourceKey]
    /// Resources that are gone, in order.
    public let removed: [ResourceKey]

    /// What leads from the versions held to the current ones.
    public init(from held: ResourceVersions, to current: ResourceVersions) {
        self.changed = current.filter { held[$0.key] != $0.value }.keys.sorted()
        self.removed = held.keys.filter { current[$0] == nil }.sorted()
    }

    /// Whether there is nothing to do.
    public var isEmpty: Bool { self.changed.isEmpty && self.removed.isEmpty }
}
