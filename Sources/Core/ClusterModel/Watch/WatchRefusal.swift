/// Why a node stays on the state that it has (control 1).
public struct WatchRefusal: Hashable, Sendable {
    /// The most bytes of a reason.
    public static let maximumReasonLength = 1000

    /// The state that is refused.
    public let stateVersion: UInt64
    /// The resource that is at fault. `nil` if the node is not at the base of the change: then it wants everything.
    public let resource: ResourceKey?
    /// For people; at most 1,000 bytes.
    public let reason: String

    /// A refusal. A longer reason is cut between two characters.
    public init(stateVersion: UInt64, resource: ResourceKey?, reason: String) {
        self.stateVersion = stateVersion
        self.resource = resource
        self.reason = reason.cut(to: Self.maximumReasonLength)
    }
}

extension String {
    /// As many whole characters as fit into so many bytes.
    fileprivate func cut(to limit: Int) -> String {
        guard self.utf8.count > limit else { return self }
        var length = 0
        return String(
            self.prefix { character in
                length += character.utf8.count
                return length <= limit
            })
    }
}
