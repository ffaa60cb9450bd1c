import ClusterModel
import MailModel
import Testing

@Suite("Leases (DESIGN §4)")
struct LeaseTests {
    private let lease = Lease(shard: Shard(rawValue: 1), epoch: Epoch(rawValue: 1), sentAt: at(100))

    private static func at(_ seconds: Double) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Int64(seconds * 1_000_000_000))
    }

    @Test("The deadline counts from the sending, and the renewal is due 3 s after it")
    func deadline() {
        #expect(self.lease.deadline == Self.at(110))
        #expect(self.lease.isHeld(at: Self.at(109.999)))
        #expect(!self.lease.isHeld(at: Self.at(110)))
    }

    @Test("The final dot is written only if the deadline is at least 2 s away")
    func finalDot() {
        #expect(self.lease.permitsFinalDot(at: Self.at(108)))
        #expect(!self.lease.permitsFinalDot(at: Self.at(108.001)))
    }

    @Test("Renewals extend from their sending; one that is answered late and out of order changes nothing")
    func renewal() {
        var lease = self.lease
        lease.renewed(sentAt: Self.at(106))
        lease.renewed(sentAt: Self.at(103))
        #expect(lease.deadline == Self.at(116))
    }

    @Test("Instants saturate at the ends of the range")
    func saturation() {
        #expect(Self.at(1) + .seconds(Int64.max) == MonotonicInstant(nanoseconds: .max))
    }
}
