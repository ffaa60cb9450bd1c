import ClusterModel
import LabSupport

/// The node's stream to one replica: what each side has sent, and what has not arrived.
struct WatchWorldStream {
    let replica: Int
    /// The state that the node had when it opened the stream.
    let begunAt: UInt64
    /// States that the node refused on this stream.
    var refused: Set<UInt64> = []
    /// What the node says first, until the replica has it.
    var beginning: WatchBeginning?
    var server = WatchServerMachine()
    /// Parts of the change on its way that the replica has yet to send.
    var unsent: [(change: WatchChange, changed: [ResourceKey], removed: [ResourceKey])] = []
    var toNode: [WatchPart<String>] = []
    var toReplica: [WatchAnswer] = []
    /// All answers so far.
    var answered: [WatchAnswer] = []

    init(replica: Int, beginning: WatchBeginning) {
        self.replica = replica
        self.begunAt = beginning.stateVersion
        self.beginning = beginning
    }

    /// The promise that a replica breaks by sending this change.
    func ruleBroken(by change: WatchChange) -> String? {
        if change.target < self.begunAt { return "the replica sent \(change.target) to a node at \(self.begunAt)" }
        return self.refused.contains(change.target) ? "the replica sent \(change.target), which was refused" : nil
    }

    /// Cuts a change in parts of up to three resources.
    mutating func split(_ change: WatchChange, using chance: inout SplitMix) {
        var (changed, removed) = (change.difference.changed[...], change.difference.removed[...])
        repeat {
            let (first, second) = (Int.random(in: 0...2, using: &chance), Int.random(in: 0...1, using: &chance))
            self.unsent.append((change, Array(changed.prefix(first)), Array(removed.prefix(second))))
            (changed, removed) = (changed.dropFirst(first), removed.dropFirst(second))
        } while !changed.isEmpty || !removed.isEmpty
    }

    mutating func answer(_ answer: WatchAnswer) {
        self.answered.append(answer)
        self.toReplica.append(answer)
    }
}
