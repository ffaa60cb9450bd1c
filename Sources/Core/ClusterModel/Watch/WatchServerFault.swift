/// Why a replica ends the stream of a node.
public enum WatchServerFault: Hashable, Sendable {
    /// The node said twice what it has.
    case beganTwice
    /// The node answered before it said what it has.
    case answerBeforeBeginning
    /// The node answered a response that the stream has not had.
    case nonceNeverSent(UInt64)
    /// The refusal names another state than the response that it answers.
    case refusalOfAnotherState(named: UInt64, sent: UInt64)
    /// The node has a later state than this replica can read. Another replica may have it (control 4).
    case replicaIsBehind(state: UInt64, node: UInt64)
}

extension WatchServerFault: CustomStringConvertible {
    /// What the node is told.
    public var description: String {
        switch self {
        case .beganTwice: "The stream began twice."
        case .answerBeforeBeginning: "The first message must say which resources the node has."
        case .nonceNeverSent(let nonce): "This stream has sent no response \(nonce)."
        case .refusalOfAnotherState(let named, let sent):
            "The refusal names state \(named), but the response was of state \(sent)."
        case .replicaIsBehind(let state, let node):
            "This replica has state \(state), and the node has state \(node) already. Try another replica."
        }
    }
}
