import ClusterModel
import DeliveryQueue
import MailModel

/// What a seed sets before anything happens: how fast things go, how much there is of everything, and which faults there are.
struct Scenario: CustomStringConvertible {
    enum Fault: CaseIterable {
        case pause, kill, stop, cut, flakyLink, slowDatabase, databaseRestart, diskFull, clockJump, peers
    }

    /// All times of the scenario count in units: a second, or half a minute, which makes waits long enough to be deferred.
    let secondsPerUnit: Int
    let nodes: Int
    let messages: Int
    let faults: Set<Fault>
    let map: ShardMap
    let terms: LeaseTerms
    let retries: RetryPolicy
    /// The domains that mail goes to; reports go to the first.
    let domains: [DomainName]
    /// For so long there are faults.
    let troubled: Duration

    static let domains = ["alpha.test", "bravo.test", "charlie.test"].compactMap { DomainName($0) }

    init(in world: World) {
        self.secondsPerUnit = world.chance(70) ? 1 : 30
        let unit = Duration.seconds(self.secondsPerUnit)
        guard let map = ShardMap(count: 4),
            let usual = RetrySchedule(
                delays: [unit * 20, unit * 20, unit * 130], securityLifetime: unit * 150, lifetime: unit * 300,
                delayNotice: unit * 60),
            let hasty = RetrySchedule(
                delays: [unit * 15], securityDelays: [unit * 30], securityLifetime: unit * 100, lifetime: unit * 200,
                delayNotice: nil)
        else { preconditionFailure("four shards and two schedules") }
        self.longestLife = usual.lifetime
        self.longestStep = usual.delays.max() ?? .zero
        self.nodes = world.int(1...3)
        self.messages = world.int(2...7)
        self.faults = Set(Fault.allCases.filter { _ in world.chance(40) })
        self.map = map
        self.terms = LeaseTerms(timeToLive: unit * 10, renewalInterval: unit * 3, finalDotMargin: unit * 2)
        self.retries = RetryPolicy(usual, rules: [.init(DomainPattern(Self.domains[1]), hasty)])
        self.domains = Self.domains
        self.troubled = unit * world.int(30...90)
    }

    /// The longest wait between two attempts.
    let longestStep: Duration
    /// After so long every message is given up.
    let longestLife: Duration

    var description: String {
        let faults = Fault.allCases.filter { self.faults.contains($0) }.map { "\($0)" }
        return "\(self.nodes) nodes, \(self.messages) messages, a unit of \(self.unit), \(self.troubled) of "
            + (faults.isEmpty ? "peace" : faults.joined(separator: ", "))
    }

    var unit: Duration { .seconds(self.secondsPerUnit) }
    /// Destinations in a page of a walk: few, so that walks go on.
    var walkPage: Int { 3 }
    /// So long after a domain was tried new mail may be a test delivery: within the shortest wait.
    var testInterval: Duration { self.unit * 7 }
    /// How often it brings deferred entries back: often enough for those that come within two minutes.
    var maintenanceInterval: Duration { min(self.unit * 30, .seconds(60)) }
}
