import DeliveryQueue
import MailModel

/// How addresses have just failed that kept us waiting: who would wait to find that out again is told instead.
struct RecentFailures {
    /// For so long a failure is told.
    static let memory = Duration.seconds(60)
    /// The most addresses that are remembered, each egress source for itself; the half that failed longest ago is
    /// forgotten.
    static let limit = 4096

    fileprivate struct Door: Hashable {
        let address: IPAddress
        let port: UInt16
        let egress: Egress
    }

    private struct Entry {
        let failure: HostFailure
        let since: MonotonicInstant
    }

    private var entries: [Door: Entry] = [:]

    /// How many are remembered.
    var count: Int { self.entries.count }

    /// The first of these addresses that has just failed by all our egress sources, and how.
    func failure(among targets: [ConnectionTarget], at now: MonotonicInstant) -> (IPAddress, HostFailure)? {
        guard !self.entries.isEmpty else { return nil }
        for target in targets {
            let found = target.sources.map { source in
                self.entries[Door(address: target.address, port: target.port, egress: source)]
            }
            guard let entry = found.last ?? nil else { continue }
            if found.allSatisfy({ $0.map { now < $0.since + Self.memory } ?? false }) {
                return (target.address, entry.failure)
            }
        }
        return nil
    }

    /// A connection has failed so, and none works there.
    mutating func failed(_ grant: ConnectionGrant, _ failure: HostFailure, at now: MonotonicInstant) {
        if self.entries.count >= Self.limit {
            let oldest = self.entries.sorted { $0.value.since < $1.value.since }
            for (door, _) in oldest.prefix(Self.limit / 2) { self.entries[door] = nil }
        }
        self.entries[Door(grant)] = Entry(failure: failure.toldToOthers, since: now)
    }

    /// A connection has succeeded.
    mutating func succeeded(_ grant: ConnectionGrant) { self.entries[Door(grant)] = nil }
}

extension RecentFailures.Door {
    fileprivate init(_ grant: ConnectionGrant) {
        self.init(address: grant.address, port: grant.port, egress: grant.egress)
    }
}
