import Routing

/// How much one attempt, or one question about a recipient, may still ask of the hosts of a domain.
struct AttemptAllowance: Hashable, Sendable {
    /// Addresses that it may still try, over all hosts.
    private(set) var addresses = DeliveryEnvironment.addressesPerAttempt
    /// Hosts that may still fail to be looked up.
    private(set) var failedLookUps = DeliveryEnvironment.failedLookUpsPerAttempt

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
