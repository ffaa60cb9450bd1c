import ClusterModel
import LabSupport

/// The node's stream to one replica: what each side has sent, and what has not arrived.
struct WatchWorldStream {
    let replica: Int
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
        self.beginning = beginning
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
