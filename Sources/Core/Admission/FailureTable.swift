package import MailModel

/// Counts refused credentials by client, so that nobody guesses for long; a pure value that is told the time.
///
/// The table is bounded: when it is full, the client that was heard of longest ago is forgotten.
package struct FailureTable {
    /// The most clients that are remembered.
    package static let maximumClients = 10_000

    private let limit: Int
    private let window: Duration
    private let clients: ClientNetworks
    private var failures = ExpiringCache<IPAddress, Int>(maximumEntries: Self.maximumClients)

    /// - Parameters:
    ///   - limit: refusals after which a client is asked to wait.
    ///   - window: how long they are remembered, from the first of them.
    ///   - clients: which addresses are one client.
    package init(limit: Int, window: Duration, clients: ClientNetworks = ClientNetworks()) {
        self.limit = limit
        self.window = window
        self.clients = clients
    }

    /// Whether the client has failed too often.
    package mutating func isBlocked(_ client: IPAddress, at now: MonotonicInstant) -> Bool {
        self.failures.value(of: self.clients.client(of: client), at: now).map { $0 >= self.limit } ?? false
    }

    /// Remembers a refusal.
    package mutating func failed(_ client: IPAddress, at now: MonotonicInstant) {
        let key = self.clients.client(of: client)
        let count = self.failures.value(of: key, at: now) ?? 0
        let end = count == 0 ? now + self.window : self.failures.expiry(of: key) ?? now + self.window
        self.failures.store(count + 1, of: key, until: end)
    }
}
