import ClusterModel
import MailModel
import QueueStore
import Testing

@testable import ShardLeases

@Suite("Leases that a node holds")
struct LeaseTableTests {
    @Test("A lease of another term is none; the final dot needs time to spare")
    func leases() {
        let start = MonotonicInstant(nanoseconds: 1_000_000_000)
        let table = LeaseTable()
        let lease = Lease(shard: Shard(rawValue: 1), epoch: Epoch(rawValue: 7), sentAt: start)
        table.replace([lease])
        let other = Lease(shard: Shard(rawValue: 1), epoch: Epoch(rawValue: 8), sentAt: start)
        #expect(table.isHeld(lease.term, at: start + .seconds(9)))
        #expect(!table.isHeld(other.term, at: start))
        #expect(table.permitsFinalDot(lease.term, at: start + .seconds(8)))
        #expect(!table.permitsFinalDot(lease.term, at: start + .milliseconds(8001)))
        #expect(!table.isHeld(lease.term, at: start + .seconds(10)))
        #expect(table.terms(at: start + .seconds(10)).isEmpty)
    }
}
