import DeliveryQueue
import LabSupport
import MailModel
import NIOPosix
import OperatingSystem
import Synchronization
import TestLiterals
import Testing

@testable import Delivery

@Suite("The slot of a connection, and who gives it back", .timeLimit(.minutes(1)))
struct ConnectionSlotTests {
    // Two connections: one for hosts that have not taken mail.
    private let table = SiteTable(limits: SiteLimits(SiteLimit(connections: 20)), connections: 2, time: .system)
    private let customer = SiteCustomer(on: MultiThreadedEventLoopGroup.singleton.next())
    private let site = ReceivingSite.address(IPAddress.v4(0x0A00_0001))

    /// Asks for a slot, and waits for it where there is none.
    private func open() async -> ConnectionSlot? {
        let target = ConnectionTarget(.v4(0x0A00_0001), 25, by: [Egress(nil, helloName: "out.relay.test")])
        let opened = await self.table.open(
            self.site, at: [target], for: self.customer, isPatient: true, whenFull: { _ in })
        if case .slot(let slot) = opened { return slot }
        return nil
    }

    private func hasWaiter() async -> Bool { await eventually { self.table.isAwaited(self.site) } }

    @Test("The last who uses it gives it back, and nobody after")
    func users() async throws {
        let slot = try #require(await self.open())
        async let second = self.open()
        #expect(await self.hasWaiter())
        slot.use()
        slot.release()
        #expect(self.table.isAwaited(self.site), "a channel is open there")
        #expect(self.customer.slots == 2)
        slot.release()
        let next = try #require(await second)
        #expect(self.customer.slots == 1)
        slot.move(to: self.customer)
        #expect(self.customer.slots == 1, "it is nobody's any more")
        next.release()
        #expect(!self.customer.isPresent)
    }

    @Test("The end of a reference resumes nobody, under whatever lock it comes; the next look does")
    func forgotten() async throws {
        let kept = Mutex(await self.open())
        #expect(kept.withLock { $0 != nil })
        async let second = self.open()
        #expect(await self.hasWaiter())
        let isAwaited = kept.withLock { slot in
            slot = nil
            return self.table.isAwaited(self.site)
        }
        #expect(isAwaited)
        #expect(self.customer.slots == 1, "only who waits")
        self.table.look(at: .now)
        #expect(await second != nil)
    }
}
