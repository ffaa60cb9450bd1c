package import Admission
package import MailModel
import Synchronization
import Telemetry

/// The node's budget of bodies on their way in, which all connections share; see `StagingState`.
package final class StagingBudget: Sendable {
    /// Bytes of all copies together; 0 is without limit.
    let limit: Int
    private let state: Mutex<StagingState>
    private let networks: ClientNetworks
    private let time: any NodeClock

    /// - Parameter limit: bytes of all copies together; 0 is without limit.
    package init(limit: Int, time: any NodeClock, networks: ClientNetworks = ClientNetworks()) {
        self.time = time
        self.limit = limit
        self.state = Mutex(StagingState(limit: limit))
        self.networks = networks
    }

    /// What one message takes of the budget.
    ///
    /// - Parameters:
    ///   - copies: how often its body is stored.
    ///   - isRestricted: the client may not relay, or the message has no sender.
    func share(of client: IPAddress, copies: Int, isRestricted: Bool) -> StagingShare {
        let owner = StagingState.Owner(client: self.networks.client(of: client), isRestricted: isRestricted)
        return StagingShare(budget: self, owner: owner, copies: copies)
    }

    /// The most bytes of one message, in all copies, that fit while nobody else stages any; 0 is without limit.
    func most(isRestricted: Bool) -> Int { StagingState.most(of: self.limit, isRestricted: isRestricted) }

    /// Tells how much is staged now, or was removed so lately that no vacuum has freed its space.
    func tell(_ metrics: InboundMetrics) {
        let (all, strangers) = self.withState { state, now in
            state.reclaim(at: now)
            return (state.held, state.heldByStrangers)
        }
        metrics.smtpdStagedBytes.set(.all, to: all)
        metrics.smtpdStagedBytes.set(.strangers, to: strangers)
        metrics.smtpdStagedBytesLimit.set(.all, to: self.limit)
        metrics.smtpdStagedBytesLimit.set(.strangers, to: self.limit / 2)
    }

    fileprivate func withState<Value: Sendable>(
        _ body: (inout sending StagingState, MonotonicInstant) -> Value
    ) -> Value {
        let now = self.time.now
        return self.state.withLock { body(&$0, now) }
    }

    /// No more of a body fits.
    static let noCapacity = SMTPReply(
        452, EnhancedStatusCode(.persistentTransientFailure, 3, 1), "No room for large messages now, try later")
}

/// What one message has taken of the budget, and gives back once.
struct StagingShare: Sendable {
    private let budget: StagingBudget
    private let owner: StagingState.Owner
    private let copies: Int
    /// Bytes of all copies.
    private var bytes = 0

    fileprivate init(budget: StagingBudget, owner: StagingState.Owner, copies: Int) {
        self.budget = budget
        self.owner = owner
        self.copies = copies
    }

    /// Reserves so many bytes more of the body, if they fit.
    mutating func take(_ count: Int) -> Bool {
        let more = count * self.copies
        guard self.budget.withState({ $0.take(more, for: self.owner, at: $1) }) else { return false }
        self.bytes += more
        return true
    }

    /// All of it, for whoever gives it back; nothing is left here.
    mutating func moved() -> StagingShare {
        defer { self.bytes = 0 }
        return self
    }

    /// The message is published.
    func publish() { self.budget.withState { state, _ in state.published(self.bytes, of: self.owner) } }

    /// What was staged is removed, or left to the sweep.
    func remove() { self.budget.withState { $0.removed(self.bytes, of: self.owner, at: $1) } }
}
