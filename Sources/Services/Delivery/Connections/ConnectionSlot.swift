import DeliveryQueue
import MailModel
import NIOCore
import Synchronization

/// The right to one connection to an address of a site, by one of our egress sources. Who opens the connection uses it, and
/// so does each channel in it until that is closed. The last user's release gives it back.
///
/// A release resumes others, and takes the lock of the table. So code calls it where it holds no lock, and never leaves it to
/// the end of a reference. If nobody calls it, the table takes the slot back when it looks next.
final class ConnectionSlot: Sendable {
    let grant: ConnectionGrant
    private let table: SiteTable
    private let holder: Mutex<Holder>
    /// Those who have not released it yet.
    private let users = Atomic<Int>(1)
    private let isEstablished = Atomic<Bool>(false)
    private let isProven = Atomic<Bool>(false)

    private struct Holder {
        var customer: SiteCustomer?
        /// It has been given back, and is nobody's any more.
        var isReleased = false
    }

    /// For the table, which has counted it as `holder`'s already. Whoever gets it is its first user.
    init(_ grant: ConnectionGrant, table: SiteTable, holder: SiteCustomer) {
        self.grant = grant
        self.table = table
        self.holder = Mutex(Holder(customer: holder))
    }

    deinit {
        guard self.users.load(ordering: .acquiring) > 0 else { return }
        self.leaveHolder()
        self.table.closeLater(self.grant, wasEstablished: self.isEstablished.load(ordering: .relaxed))
    }

    /// One more uses it. Only who uses it may say so.
    func use() { self.users.wrappingAdd(1, ordering: .relaxed) }

    /// One user less; the last gives it back. Call it outside any lock.
    func release() {
        guard self.users.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        self.leaveHolder()
        self.table.close(self.grant, wasEstablished: self.isEstablished.load(ordering: .relaxed))
    }

    private func leaveHolder() {
        let former = self.holder.withLock { exchange(&$0, with: Holder(isReleased: true)) }
        former.customer?.add(-1)
    }

    var site: ReceivingSite { self.grant.site }
    /// Where the connection leads.
    var address: IPAddress { self.grant.address }
    /// Where it comes from.
    var egress: Egress { self.grant.egress }

    /// From now on it is used for this destination, or for none.
    func move(to customer: SiteCustomer?) {
        let former = self.holder.withLock { holder -> SiteCustomer? in
            // Its connection has been closed meanwhile.
            guard !holder.isReleased else { return nil }
            customer?.add(1)
            return exchange(&holder.customer, with: customer)
        }
        former?.add(-1)
    }

    /// The connection may carry mail. Said once.
    func succeeded() {
        guard !self.isEstablished.exchange(true, ordering: .relaxed) else { return }
        self.table.succeeded(self.grant)
    }

    /// The host refused the connection before it could carry mail. Gives how many the address takes, where others work.
    ///
    /// - Parameter inSilence: nothing was said at all.
    func refused(inSilence: Bool) -> Int? {
        self.table.refused(self.grant, of: self.holder.withLock { $0.customer }, inSilence: inSilence)
    }

    /// The connection failed so, before it could carry mail, and others may be told instead of trying.
    func failed(_ failure: HostFailure) { self.table.failed(self.grant, failure) }

    /// Mail was delivered over the connection. Said once.
    func delivered() {
        guard !self.isProven.exchange(true, ordering: .relaxed) else { return }
        self.table.delivered(self.grant)
    }

    /// Another connection follows in this slot, which offers less TLS.
    func retries() { self.table.retries(self.grant) }

    /// What is to become of the connection while it waits for its host.
    func patience(in phase: ConnectionPhase) -> ConnectionAdmission.Patience {
        self.table.patience(with: self.grant, in: phase)
    }
}

/// A destination, as sites see it: whether it is served, and whether it still wants to be.
final class SiteCustomer: Sendable {
    /// Where its connections live.
    let eventLoop: ObjectIdentifier
    private let count = Atomic<Int>(0)
    /// Set under the lock of the `SiteTable`, so that nobody begins to wait afterwards.
    let isWithdrawn = Atomic<Bool>(false)

    /// When it was last told how an address failed for others, in nanoseconds.
    private let toldAt = Atomic<Int64>(0)
    /// How soon it may be told again: its workers ask together.
    private static let tellingPause = Duration.seconds(1)

    init(on eventLoop: any EventLoop) { self.eventLoop = ObjectIdentifier(eventLoop) }

    /// Slots that it has, or waits for.
    var slots: Int { self.count.load(ordering: .relaxed) }

    /// Whether it has a slot, or waits for one.
    var isPresent: Bool { self.slots > 0 }

    /// Whether it may be told now how an address failed for others; then it counts as told. Only under the lock of the `SiteTable`.
    func isToldNow(at now: MonotonicInstant) -> Bool {
        let last = self.toldAt.load(ordering: .relaxed)
        guard last == 0 || MonotonicInstant(nanoseconds: last) + Self.tellingPause <= now else { return false }
        self.toldAt.store(now.nanoseconds, ordering: .relaxed)
        return true
    }

    func add(_ count: Int) { self.count.wrappingAdd(count, ordering: .relaxed) }
}
