import Admission
import MailModel
import Synchronization

/// Hosts that offer CHUNKING and refuse BDAT: they get DATA, until they are asked again.
final class ChunkingRefusals: Sendable {
    /// The most hosts that are remembered, by address; of more, those used longest ago are forgotten.
    static let hosts = 4096
    /// How long each is remembered.
    static let memory = Duration.seconds(86_400)

    private let refused = Mutex(ExpiringCache<IPAddress, Bool>(maximumEntries: hosts))

    /// The host at this address has refused BDAT.
    func note(_ address: IPAddress, at now: MonotonicInstant) {
        self.refused.withLock { $0.store(true, of: address, until: now + Self.memory) }
    }

    /// Whether the host at this address is to get no BDAT.
    func contains(_ address: IPAddress, at now: MonotonicInstant) -> Bool {
        self.refused.withLock { $0.value(of: address, at: now) != nil }
    }
}
