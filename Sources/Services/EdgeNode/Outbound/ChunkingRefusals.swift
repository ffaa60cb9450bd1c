import MailModel
import Synchronization

/// Hosts that offer CHUNKING and refuse BDAT: they get DATA, until they are asked again.
final class ChunkingRefusals: Sendable {
    /// The most hosts that are remembered, by address; of more, those used longest ago are forgotten.
    static let hosts = 4096
    /// How long each is remembered.
    static let memory = Duration.seconds(86_400)

    private let refused = Mutex(ExpiringCache<IPAddress, Bool>(maximumEntries: hosts))

    /// The host at this address has refused BDAT. `false` where that was known.
    func note(_ address: IPAddress, at now: ContinuousClock.Instant = .now) -> Bool {
        self.refused.withLock { refused in
            guard refused.value(of: address, at: now) == nil else { return false }
            refused.store(true, of: address, until: now + Self.memory)
            return true
        }
    }

    /// Whether the host at this address is to get no BDAT.
    func contains(_ address: IPAddress, at now: ContinuousClock.Instant = .now) -> Bool {
        self.refused.withLock { $0.value(of: address, at: now) != nil }
    }
}
