import Routing

/// How much one attempt, or one question about a recipient, may still ask of the hosts of a domain.
struct AttemptAllowance: Hashable, Sendable {
    /// Addresses tried in one attempt, over all hosts; an attempt that found none of them open is a failed attempt.
    static let addressesPerAttempt = 20
    /// Addresses tried of one host, so that those behind it get their turn.
    static let addressesPerHost = 4
    /// Hosts whose look-up failed, in one attempt: whoever names a hundred that nobody answers for is not waited for so long. One
    /// that provably does not exist has not failed.
    static let failedLookUpsPerAttempt = 10

    /// Addresses that it may still try, over all hosts.
    private(set) var addresses = Self.addressesPerAttempt
    /// Hosts that may still fail to be looked up.
    private(set) var failedLookUps = Self.failedLookUpsPerAttempt

    /// No further host may be looked up.
    var isSpent: Bool { self.failedLookUps <= 0 }

    /// Takes an address; `false` when there is none left.
    mutating func takeAddress() -> Bool {
        guard self.addresses > 0 else { return false }
        self.addresses -= 1
        return true
    }

    /// A host could not be used, for this reason. That it has no address is an answer, and costs nothing: how many hosts there
    /// are is limited (`DNSLimits.mailExchangers`).
    mutating func skipped(for failure: RouteFailure?) {
        guard failure?.isAbsence != true else { return }
        self.failedLookUps -= 1
    }
}
