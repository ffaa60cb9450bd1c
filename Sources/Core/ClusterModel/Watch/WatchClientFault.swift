/// Why a node ends a stream, and follows another replica.
public enum WatchClientFault: Hashable, Sendable {
    /// A response was lost, or came twice.
    case nonceOutOfOrder(expected: UInt64, got: UInt64)
    /// A part belongs to another change than the part before it.
    case partsOfTwoChanges
    /// A change came before the one before it was answered.
    case changeBeforeAnswer
    /// The replica offers a state that is older than the node's (control 4).
    case olderState(offered: UInt64, held: UInt64)
    /// The replica offers a resource that is older than the node's (control 4).
    case olderResource(ResourceKey, offered: UInt64, held: UInt64)
    /// A change names more resources than a node takes.
    case tooManyResources(limit: Int)
}

extension WatchClientFault: CustomStringConvertible {
    /// What the node logs.
    public var description: String {
        switch self {
        case .nonceOutOfOrder(let expected, let got): "Response \(got) came where \(expected) was next."
        case .partsOfTwoChanges: "A change was not finished before the next one began."
        case .changeBeforeAnswer: "A change came before the one before it was answered."
        case .olderState(let offered, let held):
            "The replica offers state \(offered), and this node has state \(held) already."
        case .olderResource(let key, let offered, let held):
            "The replica offers version \(offered) of \(key), and this node has version \(held) already."
        case .tooManyResources(let limit): "A change names more than \(limit) resources."
        }
    }
}
