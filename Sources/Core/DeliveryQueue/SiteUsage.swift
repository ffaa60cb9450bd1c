public import MailModel

/// The connections and messages of each receiving site, by egress source: decisions only.
///
/// A site is remembered while it has connections, or has lately had so many messages that its bucket is not full again. There
/// are never more than twice as many (and 1,024) as that.
public struct SiteUsage: Hashable, Sendable {
    private struct Key: Hashable {
        let site: ReceivingSite
        let egress: Egress
    }

    private struct Account: Hashable {
        var connections = 0
        var bucket: TokenBucket?

        func isIdle(at now: MonotonicInstant) -> Bool {
            self.connections == 0 && self.bucket?.isFull(at: now) ?? true
        }
    }

    private var limits: SiteLimits
    private var accounts: [Key: Account] = [:]
    /// At so many sites those that are idle are forgotten.
    private var sweepsAt = 1024

    /// Nothing open, nothing sent.
    public init(limits: SiteLimits) { self.limits = limits }

    /// Other limits hold from now on. What is open stays open, and counts. A site with another rate begins with a full bucket.
    public mutating func replace(_ limits: SiteLimits) {
        for (key, account) in self.accounts where account.bucket != nil {
            guard limits[key.site].messagesPerMinute != self.limits[key.site].messagesPerMinute else { continue }
            self.accounts[key]?.bucket = nil
        }
        self.limits = limits
    }

    /// The egress source by which one more connection may be opened, the one with the fewest to this site. It is `nil`
    /// when each has as many as it may. Of equals the first is taken.
    public func source(to site: ReceivingSite, of sources: [Egress]) -> Egress? {
        let counted = sources.map { ($0, self.accounts[Key(site: site, egress: $0)]?.connections ?? 0) }
        guard let (egress, count) = counted.min(by: { $0.1 < $1.1 }), count < self.limits[site].connections else {
            return nil
        }
        return egress
    }

    /// A connection is being opened.
    public mutating func open(_ site: ReceivingSite, by egress: Egress, at now: MonotonicInstant) {
        self.sweep(at: now)
        self.accounts[Key(site: site, egress: egress), default: Account()].connections += 1
    }

    /// A connection was closed.
    public mutating func close(_ site: ReceivingSite, by egress: Egress, at now: MonotonicInstant) {
        let key = Key(site: site, egress: egress)
        guard var account = self.accounts[key] else { return }
        account.connections -= 1
        self.accounts[key] = account.isIdle(at: now) ? nil : account
    }

    /// Takes the right to send one message now; or says how long it is until there is one.
    public mutating func send(to site: ReceivingSite, by egress: Egress, at now: MonotonicInstant) -> Duration? {
        let rate = self.limits[site].messagesPerMinute
        guard rate > 0 else { return nil }
        let key = Key(site: site, egress: egress)
        var bucket = self.accounts[key]?.bucket ?? TokenBucket(perMinute: rate, at: now)
        let wait = bucket.take(at: now)
        self.accounts[key, default: Account()].bucket = bucket
        return wait
    }

    /// The sites that are remembered, each egress source for itself.
    public var count: Int { self.accounts.count }

    private mutating func sweep(at now: MonotonicInstant) {
        guard self.accounts.count >= self.sweepsAt else { return }
        self.accounts = self.accounts.filter { !$0.value.isIdle(at: now) }
        self.sweepsAt = max(1024, 2 * self.accounts.count)
    }
}
