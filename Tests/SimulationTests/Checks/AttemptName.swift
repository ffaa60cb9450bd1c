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

    init(key: EntryKey, number: Int, epoch: Epoch, client: StoreClient) {
        self.key = key
        self.number = number
        self.epoch = epoch
        self.client = client
    }

    /// An order.
    static func isFirst(_ one: AttemptName, _ other: AttemptName) -> Bool {
        (one.key.order, one.epoch, one.number) < (other.key.order, other.epoch, other.number)
    }

    var term: ShardTerm { ShardTerm(shard: self.key.shard, epoch: self.epoch) }

    var description: String {
        "attempt \(self.number) of \(self.key.message.short)@\(self.key.domain) by \(self.client) in e\(self.epoch.rawValue)"
    }
}
