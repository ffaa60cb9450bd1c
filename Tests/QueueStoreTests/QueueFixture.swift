import ClusterModel
import DeliveryQueue
import LabDatabase
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

let bravo: DomainName = "bravo.test"

func newID(at instant: Timestamp = Timestamp(seconds: 1_700_000_000)) -> MessageID {
    MessageID(at: instant, random: .random(in: .min ... .max))
}

/// A database of its own with a migrated queue, a node that owns all shards, and a superuser who looks and meddles.
struct QueueFixture {
    let database: PrivateDatabase
    let admin: PostgresPool
    let pool: PostgresPool
    let store: QueueStore
    let leases: [Lease]
    let writer: QueueWriter

    /// Runs a test on a fresh queue and removes it afterwards.
    static func run(
        terms: LeaseTerms = LeaseTerms(), limits: QueueWriter.Limits = .init(), on own: PrivatePostgres? = nil,
        _ body: (QueueFixture) async throws -> Void
    ) async throws {
        try await PrivateDatabase.with("queue", on: own) { database in
            let fixture = try await Self(database, terms: terms, limits: limits)
            defer {
                fixture.pool.shutDown()
                fixture.admin.shutDown()
            }
            try await body(fixture)
        }
    }

    private init(_ database: PrivateDatabase, terms: LeaseTerms, limits: QueueWriter.Limits) async throws {
        self.database = database
        try await database.makeQueue()
        self.admin = database.pool(size: 2)
        self.pool = database.pool(QueueStore.poolSettings, as: QueueLogin.node, size: 3)
        self.store = try await QueueStore(pool: self.pool, node: "node-a", terms: terms)
        try await self.store.registerNode()
        self.leases = try await self.store.acquireLeases(self.store.shardMap.shards)
        self.writer = QueueWriter(pool: self.pool, map: self.store.shardMap, node: "node-a", limits: limits)
    }

    func message(
        _ id: MessageID = newID(), to domains: [DomainName] = [bravo], body: String = "Subject: x\r\n\r\nhello\r\n"
    ) -> AcceptedMessage {
        AcceptedMessage(
            id: id, sender: "alice@alpha.test",
            entries: domains.map {
                AcceptedEntry(domain: $0, recipients: [QueueRecipient(address: "bob@\($0)")])
            }, body: .inline(Array(body.utf8)), receptionNote: "from [192.0.2.1]")
    }

    /// The term in which the node owns the shard of a domain's mail.
    func term(_ domain: DomainName = bravo) throws -> ShardTerm {
        let shard = self.store.shardMap.shard(for: domain, message: newID())
        return try #require(self.leases.first { $0.shard == shard }).term
    }

    /// Reads the entries due for a domain.
    func claim(_ domain: DomainName = bravo) async throws -> Claim {
        try await self.store.claim(try self.term(domain), destination: domain)
    }

    /// How a destination failed that is in backoff from now on.
    func backoff(for wait: Duration, failures: Int = 1) async throws -> DestinationBackoff {
        let now = try await self.store.databaseTime()
        let failure = DeliveryFailure(
            failureClass: .security, status: EnhancedStatusCode(.persistentTransientFailure, 7, 324),
            reason: .dnssecInvalid, text: "bogus\0", reply: "a reply", host: "mx.bravo.test")
        return DestinationBackoff(failure: failure, failures: failures, since: now, until: now + wait)
    }

    /// Reads the only entry due for a domain.
    func claimOne(_ domain: DomainName = bravo) async throws -> QueueEntry {
        let claim = try await self.store.claim(try self.term(domain), destination: domain)
        try #require(claim.entries.count == 1)
        return claim.entries[0]
    }

    func count(_ table: String) async throws -> Int64 {
        try await self.admin.query(Statement("SELECT count(*) FROM relay.\(table)")).single().get(0)
    }

    /// Another node takes a shard over.
    func takeOver(_ shard: Shard) async throws {
        try await self.admin.query(
            Statement("UPDATE relay.shard_lease SET epoch = epoch + 1, owner = 'b' WHERE shard = $1", shard.rawValue))
    }

    func event(_ kind: TraceEvent.Kind, _ entry: QueueEntry) -> TraceEvent {
        TraceEvent(
            kind, node: "node-a", message: entry.key.message, domain: entry.key.domain, recipients: "bob",
            attempt: entry.attempts + 1)
    }

    func delivered(_ entry: QueueEntry) throws -> RecordedOutcome {
        RecordedOutcome(
            entry: entry, epoch: try self.term(entry.key.domain).epoch, result: .removed,
            events: [self.event(.send, entry)])
    }

    func retry(_ entry: QueueEntry, in wait: Duration) async throws -> RecordedOutcome {
        let failure = DeliveryFailure(
            failureClass: .security, status: EnhancedStatusCode(.persistentTransientFailure, 7, 323),
            reason: .tlsaInvalid, text: "no match\0", host: "mx.bravo.test")
        var event = self.event(.defer, entry)
        event.reply = failure.text
        event.status = failure.status
        event.duration = .milliseconds(7)
        event.authentication = .dane
        let now = try await self.store.databaseTime()
        return RecordedOutcome(
            entry: entry, epoch: try self.term(entry.key.domain).epoch,
            result: .retry(at: now + wait, recipients: entry.recipients, because: failure, isDelayNotified: false),
            events: [event])
    }
}

/// The kind of error that an operation throws, or nil.
func code(_ body: () async throws -> Void) async -> QueueStoreError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? QueueStoreError)?.code
    }
}
