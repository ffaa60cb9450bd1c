import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

/// A destination, in one term of its shard's ownership.
struct DestinationTerm: Hashable {
    let term: ShardTerm
    let domain: DomainName

    var destination: DueEntry { DueEntry(shard: self.term.shard, destination: self.domain) }
}

/// What came of an attempt, for the destination as a whole.
enum AttemptFinding {
    /// A host has answered for some recipient.
    case answered
    /// No host could be reached.
    case failed
    /// Nothing that says anything of it.
    case nothing
}

/// A node was told of new mail for a destination.
struct Hint: Hashable {
    let destination: DueEntry
    let client: StoreClient
}

/// What the witness knows of a destination in one term.
struct DestinationLife {
    /// The attempts that go on, and when each began.
    var underWay: [AttemptName: Int] = [:]
    var lastAnswer = 0
    var lastFailure = 0
    var lastEarlyTest: Timestamp?

    /// It worked when it was last tried, whatever its row says until that is recorded.
    var isKnownToWork: Bool { self.lastAnswer > self.lastFailure }
}

// MARK: - Destinations in backoff

extension Witness {
    /// A node has taken an entry to attempt it. While the destination's row is in force it must not. When the row is
    /// over only one attempt may go on until it is known how that ends. New mail may be a test before that, now and
    /// then.
    func attemptBegan(_ name: AttemptName) {
        let key = DestinationTerm(term: name.term, domain: name.key.domain)
        self.moment += 1
        self.checkTestDelivery(name, key)
        self.destinations[key, default: DestinationLife()].underWay[name] = self.moment
    }

    private func checkTestDelivery(_ name: AttemptName, _ key: DestinationTerm) {
        let life = self.destinations[key] ?? DestinationLife()
        guard let row = self.backoffs[key.destination], !life.isKnownToWork, !self.hasClockJumped else { return }
        self.encounters.count(.testDeliveries)
        if row.until > self.databaseNow {
            let isEarlyTest = self.hints.remove(Hint(destination: key.destination, client: name.client)) != nil
            self.require(isEarlyTest, "\(name) begins while its destination is in backoff")
            self.encounters.count(.earlyTests)
            self.checkTestInterval(name, key)
        }
        if let other = life.underWay.keys.first {
            self.world.violate("\(name) begins beside \(other), which is the test delivery")
        }
    }

    private func checkTestInterval(_ name: AttemptName, _ key: DestinationTerm) {
        let now = self.databaseNow
        if let last = self.destinations[key]?.lastEarlyTest {
            self.require(last + self.scenario.testInterval <= now, "\(name) is a test too soon after another")
        }
        self.destinations[key, default: DestinationLife()].lastEarlyTest = now
    }

    /// New mail has come, and a node is told so.
    func hinted(_ destination: DueEntry, to client: StoreClient) {
        self.hints.insert(Hint(destination: destination, client: client))
    }

    func attemptEnded(_ name: AttemptName, _ finding: AttemptFinding) {
        let key = DestinationTerm(term: name.term, domain: name.key.domain)
        self.moment += 1
        guard let began = self.destinations[key]?.underWay.removeValue(forKey: name) else { return }
        switch finding {
        case .answered: self.destinations[key]?.lastAnswer = self.moment
        // What failed although somebody was answered since it began says nothing.
        case .failed:
            if let last = self.destinations[key]?.lastAnswer, last < began {
                self.destinations[key]?.lastFailure = self.moment
            }
        // Whether a session that was closed upon a message is the destination's failure depends on who else met it.
        case .nothing: ()
        }
    }
}
