import MailModel

/// Counts refused credentials by client, so that nobody guesses for long; a pure value that is told the time.
///
/// An IPv6 client is its /64, since a host has all of that to itself. The table is bounded: when it is full, the client that
/// was heard of longest ago is forgotten.
struct FailureTable {
    /// The most clients that are remembered.
    static let maximumClients = 10_000

    private let limit: Int
    private let window: Duration
    private var failures = ExpiringCache<IPAddress, Int>(maximumEntries: Self.maximumClients)

    /// - Parameters:
    ///   - limit: refusals after which a client is asked to wait.
    ///   - window: how long they are remembered, from the first of them.
    init(limit: Int, window: Duration) {
        self.limit = limit
        self.window = window
    }

    /// Whether the client has failed too often.
    mutating func isBlocked(_ client: IPAddress, at now: ContinuousClock.Instant) -> Bool {
        self.failures.value(of: client.ofOneHost, at: now).map { $0 >= self.limit } ?? false
    }

    /// Remembers a refusal.
    mutating func failed(_ client: IPAddress, at now: ContinuousClock.Instant) {
        let key = client.ofOneHost
        let count = self.failures.value(of: key, at: now) ?? 0
        let end = count == 0 ? now + self.window : self.failures.expiry(of: key) ?? now + self.window
        self.failures.store(count + 1, of: key, until: end)
    }
}

extension IPAddress {
    /// What stands for one host among its addresses: an IPv4 address, or the first half of an IPv6 address.
    fileprivate var ofOneHost: IPAddress {
        switch self.unmapped {
        case .v6(let network, _): .v6(network, 0)
        case let address: address
        }
    }
}
