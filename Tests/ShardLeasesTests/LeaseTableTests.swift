import ClusterModel
import LabSupport
import MailModel
import QueueStore
import Testing

@testable import ShardLeases

@Suite("Leases that a node holds")
struct LeaseTableTests {
    @Test("A lease of another term is none; the final dot needs time to spare")
    func leases() {
        let clock = ManualClock()
        let start = clock.now
        let table = LeaseTable(time: clock)
        let lease = Lease(shard: Shard(rawValue: 1), epoch: Epoch(rawValue: 7), sentAt: start)
        table.replace([lease])
        let other = Lease(shard: Shard(rawValue: 1), epoch: Epoch(rawValue: 8), sentAt: start)
        #expect(!table.isHeld(other.term))
        clock.advance(by: .seconds(8))
        #expect(table.permitsFinalDot(lease.term))
        clock.advance(by: .milliseconds(1))
        #expect(!table.permitsFinalDot(lease.term))
        clock.advance(by: .milliseconds(999))
        #expect(table.isHeld(lease.term) && table.terms == [lease.term])
        clock.advance(by: .seconds(1))
        #expect(!table.isHeld(lease.term) && table.terms.isEmpty && table.all == [lease])
    }
}
