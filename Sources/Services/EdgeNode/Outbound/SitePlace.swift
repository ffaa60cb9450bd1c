import DeliveryQueue
import NIOCore
import Synchronization

/// The right to one connection to a site, by one of our ways out. It is given back when nobody holds it any more.
final class SitePlace: Sendable {
    let site: ReceivingSite
    let egress: Egress
    private let table: SiteTable
    private let holder: Mutex<SiteCustomer?>

    /// For the table, which has counted it as `holder`'s already.
    init(_ site: ReceivingSite, _ egress: Egress, table: SiteTable, holder: SiteCustomer) {
        self.site = site
        self.egress = egress
        self.table = table
        self.holder = Mutex(holder)
    }

    deinit {
        self.move(to: nil)
        self.table.close(self.site, by: self.egress)
    }

    /// From now on it is used for this destination, or for none.
    func move(to customer: SiteCustomer?) {
        let former = self.holder.withLock { exchange(&$0, with: customer) }
        former?.add(-1)
        customer?.add(1)
    }
}

/// A destination, as sites see it: whether it is served, and whether it still wants to be.
final class SiteCustomer: Sendable {
    /// Where its connections live.
    let eventLoop: ObjectIdentifier
    /// Places that it has, or waits for.
    private let places = Atomic<Int>(0)
    /// Set under the lock of the `SiteTable`, so that nobody begins to wait afterwards.
    let isWithdrawn = Atomic<Bool>(false)

    init(on eventLoop: any EventLoop) { self.eventLoop = ObjectIdentifier(eventLoop) }

    /// Whether it has a place, or waits for one.
    var isPresent: Bool { self.places.load(ordering: .relaxed) > 0 }

    func add(_ count: Int) { self.places.wrappingAdd(count, ordering: .relaxed) }
}
