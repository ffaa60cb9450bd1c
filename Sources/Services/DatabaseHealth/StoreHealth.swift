package import MailModel

/// Whether mail may be taken and sent, as far as that is the database's affair.
///
/// While it is not well nothing is accepted, and no attempt begins: what would be sent could not be marked as sent. It
/// is well again only when a storage check has shown that mail fits. Other writes that succeed show no such thing,
/// since leases are renewed in place on a full disk.
///
/// ```
///  unchecked ──check──▶ healthy ◀──check or write── suspected
///                          │  ╲──accident──────────▶    │
///                    certain fault                check failed
///                          ▼                            ▼
///                        broken ◀───────────────────────┘     broken ──checks for a while──▶ healthy
/// ```
///
/// A disk may have space for the check and none for the mail. So whenever it breaks soon after a recovery, the next one
/// takes a larger check, and takes longer.
package struct StoreHealth {
    /// What somebody experienced.
    package enum Event: Hashable, Sendable {
        /// A transaction with mail in it was committed.
        case wrote
        /// One failed, and was not merely refused.
        case failed(StoreFault)
        /// Leases were renewed and taken.
        case renewed
        /// They were not, and why.
        case notRenewed(String)
        /// A storage check was committed.
        case checked
        /// It was not.
        case checkFailed(StoreFault)
    }

    /// What an event changed.
    package enum Change: Hashable {
        case none
        case broke(StoreFault)
        case recovered(after: Duration)
    }

    /// Whether the node is ready, as it is to be said.
    struct News: Hashable {
        /// Why it is not; `nil` when it is.
        let problem: String?
        /// The later one stands.
        let turn: UInt64
    }

    private enum State: Hashable {
        case unchecked
        case healthy
        /// It works until a storage check says otherwise.
        case suspected
        case broken(StoreFault, since: MonotonicInstant, passingSince: MonotonicInstant?)
    }

    /// How long between two checks while something is wrong.
    static let checkInterval = Duration.seconds(1)
    /// After so long without any write one is made, so that a node without mail knows, too.
    package static let idleInterval = Duration.seconds(30)
    /// Breaking again within so long after a recovery is a relapse.
    static let relapseTime = Duration.seconds(60)
    /// The most time for which checks must succeed before it is well again.
    static let longestTrial = Duration.seconds(15)
    /// The pieces of 64 KiB in a check. They are those of a database that is thought to be well or has passed a larger
    /// one, at first, and at most.
    static let (idleCheck, firstCheck, largestCheck) = (1, 16, 64)

    private var state = State.unchecked
    private var leaseFault: String? = "not checked yet"
    private var lastEvidence: MonotonicInstant?
    private var lastCheck: MonotonicInstant?
    private var lastRecovery: MonotonicInstant?
    private var relapses = 0
    private var lastNews: News?

    /// Whether mail may be accepted, and attempts may begin.
    package var isOpen: Bool { if case .broken = self.state { false } else { true } }

    /// Why the node is not ready; `nil` when it is.
    package var problem: String? {
        if case .broken(let fault, _, _) = self.state { return "\(fault)" }
        return self.leaseFault ?? (self.state == .unchecked ? "not checked yet" : nil)
    }

    /// What is to be said of readiness; `nil` where it is as was said last.
    mutating func news() -> News? {
        let problem = self.problem
        if let lastNews, lastNews.problem == problem { return nil }
        let news = News(problem: problem, turn: (self.lastNews?.turn ?? 0) + 1)
        self.lastNews = news
        return news
    }

    // MARK: - Events

    /// Takes note of an event.
    package mutating func handle(_ event: Event, at now: MonotonicInstant) -> Change {
        switch event {
        case .wrote: self.wrote(at: now)
        case .failed(let fault) where fault.isCertain: return self.broke(fault, at: now)
        case .failed: self.suspect()
        case .renewed: self.leaseFault = nil
        case .notRenewed(let reason): self.leaseFault = reason
        case .checked: return self.checked(at: now)
        case .checkFailed(let fault): return self.broke(fault, at: now)
        }
        return .none
    }

    /// The pieces of the check that is to be made now; `nil` while none is due.
    mutating func dueCheck(at now: MonotonicInstant) -> Int? {
        let interval = self.state == .healthy ? Self.idleInterval : Self.checkInterval
        let last = self.state == .healthy ? self.lastEvidence : self.lastCheck
        if let last, now - last < interval { return nil }
        self.lastCheck = now
        // Once a large one fit, small ones do: each takes space that is free again only after a vacuum.
        guard case .broken(_, _, passingSince: nil) = self.state else { return Self.idleCheck }
        return min(Self.largestCheck, Self.firstCheck << self.relapses)
    }

    private mutating func wrote(at now: MonotonicInstant) {
        guard self.isOpen else { return }
        self.lastEvidence = now
        self.state = .healthy
    }

    private mutating func suspect() {
        guard self.state == .healthy || self.state == .unchecked else { return }
        self.state = .suspected
        self.lastCheck = nil
    }

    private mutating func broke(_ fault: StoreFault, at now: MonotonicInstant) -> Change {
        if case .broken(let former, let since, _) = self.state {
            self.state = .broken(fault, since: since, passingSince: nil)
            return former.kind == fault.kind ? .none : .broke(fault)
        }
        let isRelapse = self.lastRecovery.map { now - $0 < Self.relapseTime } ?? false
        self.relapses = isRelapse ? min(self.relapses + 1, 4) : 0
        self.state = .broken(fault, since: now, passingSince: nil)
        self.lastCheck = nil
        return .broke(fault)
    }

    private mutating func checked(at now: MonotonicInstant) -> Change {
        self.lastEvidence = now
        guard case .broken(let fault, let since, let passing) = self.state else {
            self.state = .healthy
            return .none
        }
        let passingSince = passing ?? now
        guard now - passingSince >= self.trial else {
            self.state = .broken(fault, since: since, passingSince: passingSince)
            return .none
        }
        self.state = .healthy
        self.lastRecovery = now
        return .recovered(after: now - since)
    }

    /// How long checks must succeed: the first suffices, unless it broke again and again.
    private var trial: Duration {
        self.relapses == 0 ? .zero : min(Self.longestTrial, .seconds(1 << self.relapses))
    }
}
