import ClusterModel
import ControlAPI
import ControlStore
import MailModel

/// How many nodes stand how.
struct NodeCensus {
    private(set) var counts: [NodeStanding: Int] = [:]
    /// Without those that are revoked.
    var enrolled: Int { self.counts.filter { $0.key != .revoked }.values.reduce(0, +) }

    mutating func count(in store: ControlStore, desired: UInt64, at now: Timestamp) async throws(ControlStoreError) {
        for node in try await store.allNodes() {
            self.counts[node.standing(desired: desired, at: now), default: 0] += 1
        }
    }
}

extension ControlStore {
    /// All nodes, page by page.
    func allNodes() async throws(ControlStoreError) -> [NodeRow] {
        let pageSize = 1_000
        var all: [NodeRow] = []
        while true {
            let page = try await self.nodes(after: all.last?.name, limit: pageSize)
            all += page
            if page.count < pageSize { return all }
        }
    }
}
