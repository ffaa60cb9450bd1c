import ClusterModel
import DeliveryQueue
import MailModel
import QueueStore

/// One attempt, told apart from all others.
struct AttemptName: Hashable, CustomStringConvertible {
    let key: EntryKey
    /// From 1.
    let number: Int
    let epoch: Epoch
    let client: StoreClient

    init(of entry: QueueEntry, epoch: Epoch, by client: StoreClient) {
        self.key = entry.key
        self.number = entry.attempts + 1
        self.epoch = epoch
        self.client = client
    }

    var term: ShardTerm { ShardTerm(shard: self.key.shard, epoch: self.epoch) }

    var description: String {
        "attempt \(self.number) of \(self.key.message.short)@\(self.key.domain) by \(self.client) in e\(self.epoch.rawValue)"
    }
}

/// What a node wants to have recorded, with the reasons that the store is not told.
struct PlannedConclusion {
    let name: AttemptName
    /// Addresses, and what becomes of each.
    let recipients: [String]
    let decisions: [RecipientDecision]
    let announcesDelay: Bool
}
