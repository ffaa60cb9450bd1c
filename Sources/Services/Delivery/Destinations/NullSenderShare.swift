import Synchronization

/// The deliveries of mail without a sender that may go on at once: half of the node's connections. Mail with forged
/// senders can cause reports in any number; the other half stays for mail that somebody wrote.
final class NullSenderShare: Sendable {
    private let limit: Int
    private let underWay = Mutex(0)

    /// Half of so many connections, and at least one.
    static func size(ofConnections connections: Int) -> Int { max(1, connections / 2) }

    /// None is taken.
    init(ofConnections connections: Int) { self.limit = Self.size(ofConnections: connections) }

    /// Takes one delivery's part, to be given back by `release`. `false` where all are taken.
    func take() -> Bool {
        self.underWay.withLock { count in
            guard count < self.limit else { return false }
            count += 1
            return true
        }
    }

    /// Gives one back.
    func release() { self.underWay.withLock { $0 -= 1 } }
}
