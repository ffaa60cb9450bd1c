import DeliveryQueue
import MailModel
import NIOCore
import Routing
import Synchronization
import TransportSecurity

/// Open connections that nobody uses for the moment. The next message for the same host takes one, whichever domain it
/// is for, if the connection may serve it (rules 26 and 27).
///
/// A connection belongs to an event loop, and so do destinations: those of one loop share. Each connection here has a slot
/// at its site, so there are never more than `delivery.max-connections`, and each is closed after a moment.
final class ConnectionPool: Sendable {
    private struct Key: Hashable {
        let eventLoop: ObjectIdentifier
        let purpose: ConnectionReuseKey
    }

    private struct Idle {
        let id: UInt64
        let site: ReceivingSite
        let link: NIOLoopBound<PooledConnection>
        let expiry: Scheduled<Void>

        func quit() {
            self.expiry.cancel()
            let link = self.link
            link.eventLoop.execute { link.value.connection.quit() }
        }
    }

    private struct State {
        var idle: [Key: [Idle]] = [:]
        var nextID: UInt64 = 0
        var isClosed = false

        mutating func remove(_ key: Key, where isWanted: (Idle) -> Bool) -> Idle? {
            guard var list = self.idle[key], let index = list.lastIndex(where: isWanted) else { return nil }
            let found = list.remove(at: index)
            self.idle[key] = list.isEmpty ? nil : list
            return found
        }
    }

    /// How long a connection waits for the next message before it is given back.
    static let connectionIdleTime = Duration.seconds(1)

    private let sites: SiteTable
    private let idleTime: Duration
    private let state = Mutex(State())

    /// - Parameter idleTime: for so long a connection is kept.
    init(sites: SiteTable, idleTime: Duration = ConnectionPool.connectionIdleTime) {
        self.sites = sites
        self.idleTime = idleTime
    }

    /// Keeps a connection for a moment, unless somebody waits for its slot who cannot use it. Call it on the connection's
    /// event loop.
    func put(_ link: PooledConnection, on eventLoop: any EventLoop) {
        let site = link.slot.site
        guard link.connection.isReady else { return link.connection.quit() }
        link.slot.move(to: nil)
        guard self.sites.isAwaited(site) else { return self.keep(link, on: eventLoop) }
        // Nothing else runs on this event loop until the one who is told does.
        self.keep(link, on: eventLoop)
        if !self.sites.offer(site, on: ObjectIdentifier(eventLoop)) { self.close(idleAt: site) }
    }

    private func keep(_ link: PooledConnection, on eventLoop: any EventLoop) {
        let key = Key(eventLoop: ObjectIdentifier(eventLoop), purpose: link.warmth.key)
        let bound = NIOLoopBound(link, eventLoop: eventLoop)
        let isKept = self.state.withLock { state in
            guard !state.isClosed else { return false }
            let id = state.nextID
            state.nextID += 1
            let expiry = eventLoop.scheduleTask(in: TimeAmount(self.idleTime)) {
                self.expire(key, id)
            }
            state.idle[key, default: []].append(Idle(id: id, site: link.slot.site, link: bound, expiry: expiry))
            return true
        }
        if !isKept { link.connection.quit() }
    }

    /// A connection that serves, the one used last. Call it on the event loop.
    func take(_ demand: LinkDemand, on eventLoop: any EventLoop) -> PooledConnection? {
        for address in demand.host.addresses {
            let key = Key(eventLoop: ObjectIdentifier(eventLoop), purpose: demand.purpose(at: address))
            let idle = self.state.withLock { $0.remove(key, where: { $0.link.value.serves(demand) }) }
            guard let idle else { continue }
            idle.expiry.cancel()
            return idle.link.value
        }
        return nil
    }

    /// Closes those at a site, for whoever waits for a slot there.
    func close(idleAt site: ReceivingSite) {
        let idle = self.state.withLock { state in
            var found: [Idle] = []
            for (key, list) in state.idle {
                let (wanted, left) = (list.filter { $0.site == site }, list.filter { $0.site != site })
                guard !wanted.isEmpty else { continue }
                found += wanted
                state.idle[key] = left.isEmpty ? nil : left
            }
            return found
        }
        for idle in idle { idle.quit() }
    }

    /// Closes all, and keeps none from now on.
    func close() {
        let idle = self.state.withLock { state in
            state.isClosed = true
            return exchange(&state.idle, with: [:]).values.flatMap(\.self)
        }
        for idle in idle { idle.quit() }
    }

    private func expire(_ key: Key, _ id: UInt64) {
        let idle = self.state.withLock { state in state.remove(key, where: { $0.id == id }) }
        idle?.link.value.connection.quit()
    }
}
