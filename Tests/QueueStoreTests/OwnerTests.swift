import ClusterModel
import DeliveryQueue
import LabDatabase
import LabSupport
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

@Suite("Leases and the fence (DESIGN §4)", .timeLimit(.minutes(3)))
struct FenceTests {
    @Test("After a takeover the former owner's transaction fails and changes no row (hostile-input 32)")
    func stale() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            try await queue.takeOver(entry.key.shard)
            let results = await queue.store.recordOutcomes([try queue.delivered(entry)])
            #expect(throws: QueueStoreError.self) { try results[0].get() }
            #expect(try await queue.count("ready") == 1)
            #expect(try await queue.count("trace") == 1)
            let term = try queue.term()
            #expect(await code { _ = try await queue.store.claim(term, destination: bravo) } == .staleEpoch)
        }
    }

    @Test("A transaction begun before the takeover commits, and is waited for, or fails: never later than the takeover")
    func begunBefore() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            // The takeover is under way: its row is changed and not yet committed when the owner's statement begins.
            let delivered = try queue.delivered(entry)
            let results = try await queue.whileOpen(
                "UPDATE relay.shard_lease SET epoch = epoch + 1 WHERE shard = \(entry.key.shard)"
            ) { takeover in
                async let results = queue.store.recordOutcomes([delivered])
                try await takeover.waitUntilItHoldsUp()
                try await takeover.commit()
                return await results
            }
            #expect(throws: QueueStoreError.self) { try results[0].get() }
            #expect(try await queue.count("ready") == 1)
        }
    }

    @Test("A takeover waits for the owner's open transaction; a renewal does not")
    func takeoverWaits() async throws {
        try await QueueFixture.run { queue in
            let term = try queue.term()
            try await queue.whileOpen("SELECT relay.fence('{\(term.shard)}', '{\(term.epoch.rawValue)}')") { _ in
                let renewed = try await queue.store.renew(queue.leases)
                #expect(renewed.count == 64)
                let blocked = await driverCode {
                    try await queue.admin.query(
                        Statement(
                            "UPDATE relay.shard_lease SET epoch = epoch + 1 WHERE shard = $1", term.shard.rawValue),
                        timeout: .milliseconds(100))
                }
                // Either end may give up first.
                #expect(blocked == .statementTimeout || blocked == .ambiguousCommit)
            }
        }
    }

    @Test("A lease that is held is not given away; one that has run out is, with a new epoch")
    func acquire() async throws {
        try await QueueFixture.run(terms: LeaseTerms(timeToLive: .seconds(2))) { queue in
            let other = try await QueueStore(pool: queue.pool, node: "node-b")
            let shards = queue.store.shardMap.shards
            _ = try await queue.store.renew(queue.leases)
            #expect(try await other.acquireLeases(shards).isEmpty)
            try await Task.sleep(for: .milliseconds(2200))
            let taken = try await other.acquireLeases(shards)
            #expect(taken.count == 64)
            #expect(taken.allSatisfy { $0.epoch.rawValue == 2 })
            #expect(try await queue.store.renew(queue.leases).isEmpty)
            try await other.release(taken)
            #expect(try await queue.store.acquireLeases(shards).count == 64)
        }
    }

    @Test("A lease not renewed for its life is taken although the database's clock was set back, one that was is not")
    func clockSetBack() async throws {
        try await QueueFixture.run { queue in
            let other = try await QueueStore(pool: queue.pool, node: "node-b")
            let shards = queue.store.shardMap.shards
            // To all who read the clock now, it was set back by an hour.
            try await queue.admin.query(
                Statement("UPDATE relay.shard_lease SET expires_at = expires_at + interval '1 hour'"))
            let seen = try await other.sightings(of: shards)
            #expect(seen.count == 64)
            #expect(try await other.acquireLeases(shards).isEmpty)
            _ = try await queue.store.renew(Array(queue.leases.prefix(1)))
            #expect(try await other.acquireLeases(shards, silent: seen).count == 63)
        }
    }

    @Test("A run of the same name that was not seen for a while is replaced although the database's clock was set back")
    func clockSetBackAtStart() async throws {
        try await QueueFixture.run { queue in
            try await queue.admin.query(
                Statement("UPDATE relay.node SET seen_at = seen_at + interval '1 hour'"))
            let next = try await QueueStore(pool: queue.pool, node: "node-a")
            let seen = try await next.sightingOfNode()
            #expect(await code { try await next.registerNode() } == .duplicateNode)
            _ = try await queue.store.renew([])
            #expect(await code { try await next.registerNode(replacing: seen) } == .duplicateNode)
            let again = try await next.sightingOfNode()
            try await next.registerNode(replacing: again)
        }
    }

    @Test("A second node of the same name is refused (hostile-input 35)")
    func duplicateNode() async throws {
        try await QueueFixture.run { queue in
            let twin = try await QueueStore(pool: queue.pool, node: "node-a")
            #expect(await code { try await twin.registerNode() } == .duplicateNode)
            try await queue.store.unregisterNode()
            try await twin.registerNode()
        }
    }

    @Test("One lost shard does not hold up the outcomes of the others")
    func mixedBatch() async throws {
        try await QueueFixture.run { queue in
            let other: DomainName = "charlie.test"
            try await queue.writer.enqueue(queue.message(to: [bravo, other]))
            let lost = try await queue.claimOne()
            let kept = try await queue.claimOne(other)
            try #require(lost.key.shard != kept.key.shard)
            try await queue.takeOver(lost.key.shard)
            let results = await queue.store.recordOutcomes([try queue.delivered(lost), try queue.delivered(kept)])
            #expect(throws: QueueStoreError.self) { try results[0].get() }
            try results[1].get()
        }
    }

    @Test("A former owner may record a delivery while its attempt is the latest, and not after")
    func lateDelivery() async throws {
        try await QueueFixture.run { queue in
            for newOwnerBegins in [false, true] {
                let name: DomainName = newOwnerBegins ? "late.test" : "early.test"
                try await queue.writer.enqueue(queue.message(to: [name]))
                let entry = try await queue.claimOne(name)
                let term = try queue.term(name)
                #expect(try await queue.store.openAttempts([(entry, term.epoch)]) == [entry.key])
                try await queue.takeOver(entry.key.shard)
                let newTerm = ShardTerm(shard: term.shard, epoch: Epoch(rawValue: term.epoch.rawValue + 1))
                let seen = try await queue.store.claim(newTerm, destination: name).entries
                #expect(seen.first?.openAttempt?.epoch == term.epoch)
                if newOwnerBegins { _ = try await queue.store.openAttempts([(entry, newTerm.epoch)]) }
                let recorded = try await queue.store.recordLateDelivery(try queue.delivered(entry))
                #expect(recorded != newOwnerBegins)
                let left = try await queue.store.claim(newTerm, destination: name).entries
                #expect(left.isEmpty != newOwnerBegins)
                if !newOwnerBegins {
                    #expect(try await queue.store.openAttempts([(entry, newTerm.epoch)]).isEmpty)
                }
            }
        }
    }

    @Test(
        "Of mixed outcomes a former owner records what was delivered, with its report; the rest stays for the new one")
    func latePartialDelivery() async throws {
        try await QueueFixture.run { queue in
            for isRead in [false, true] {
                let name: DomainName = isRead ? "read.test" : "unread.test"
                var message = queue.message(to: [name])
                let both = ["a", "b"].map { QueueRecipient(address: "\($0)@\(name)") }
                message.entries = [AcceptedEntry(domain: name, recipients: both)]
                try await queue.writer.enqueue(message)
                let entry = try await queue.claimOne(name)
                let term = try queue.term(name)
                _ = try await queue.store.openAttempts([(entry, term.epoch)])
                try await queue.takeOver(entry.key.shard)
                let newTerm = ShardTerm(shard: term.shard, epoch: Epoch(rawValue: term.epoch.rawValue + 1))
                let seen = try await queue.store.claim(newTerm, destination: name).entries
                var late = try queue.delivered(entry)
                late.notifications = [queue.message(to: ["alpha-\(name)"])]
                #expect(try await queue.store.recordLateDelivery(late, undelivered: [both[1]]))
                #expect(try await queue.claimOne("alpha-\(name)").recipients.count == 1)
                // What the new owner has read before is out of date: it may not be tried.
                if isRead { #expect(try await queue.store.openAttempts(seen.map { ($0, newTerm.epoch) }).isEmpty) }
                let left = try await queue.store.claim(newTerm, destination: name).entries
                #expect(left.map(\.recipients) == [[both[1]]])
                #expect(left.map(\.interruptedAttempt) == [nil])
                #expect(try await queue.store.openAttempts(left.map { ($0, newTerm.epoch) }).count == 1)
            }
        }
    }
}

func driverCode(_ body: () async throws -> Void) async -> PostgresError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? PostgresError)?.code
    }
}

@Suite("Claims and outcomes (DESIGN §4)", .timeLimit(.minutes(3)))
struct OutcomeTests {
    @Test("A claim is bounded by count and bytes, and goes on behind its cursor")
    func claims() async throws {
        try await QueueFixture.run { queue in
            for _ in 0..<10 { try await queue.writer.enqueue(queue.message(body: String(repeating: "x", count: 1000))) }
            let term = try queue.term()
            var seen: [QueueEntry] = []
            var cursor: ClaimCursor?
            repeat {
                let claim = try await queue.store.claim(term, destination: bravo, after: cursor, maximumCount: 4)
                #expect(claim.entries.count <= 4)
                seen += claim.entries
                cursor = claim.cursor
            } while cursor != nil
            #expect(Set(seen.map(\.key)).count == 10)
            #expect(seen.count == 10)
            let byBytes = try await queue.store.claim(term, destination: bravo, maximumBytes: 2500)
            #expect(byBytes.entries.count == 3)
            #expect(try await queue.store.claim(term, destination: bravo, maximumBytes: 1).entries.count == 1)
        }
    }

    @Test("Destinations with something due are found; one held back is not, however much waits for it")
    func dueDestinations() async throws {
        try await QueueFixture.run { queue in
            let names = (0..<20).map { "d\($0).test" as DomainName }
            for _ in 0..<3 { try await queue.writer.enqueue(queue.message(to: names)) }
            let terms = queue.leases.map(\.term)
            #expect(Set(try await queue.store.dueDestinations(terms).due.map(\.destination)) == Set(names))
            var outcome = try await queue.retry(try await queue.claim(names[0]).entries[0], in: .zero)
            outcome.destinationChange = .blocked(try await queue.backoff(for: .seconds(60)))
            try await queue.store.recordOutcomes([outcome]).forEach { try $0.get() }
            #expect(Set(try await queue.store.dueDestinations(terms).due.map(\.destination)) == Set(names.dropFirst()))
            #expect(try await queue.count("ready") == 60)
        }
    }

    @Test("Delivered: the entry is gone, the trace tells, the sums are right")
    func delivered() async throws {
        try await QueueFixture.run { queue in
            let message = queue.message(to: [bravo, "charlie.test"])
            try await queue.writer.enqueue(message)
            let entry = try await queue.claimOne()
            _ = try await queue.store.openAttempts([(entry, try queue.term().epoch)])
            try await queue.store.recordOutcomes([try queue.delivered(entry)]).forEach { try $0.get() }
            #expect(try await queue.count("ready") == 1)
            #expect(try await queue.count("open_attempt") == 0)
            #expect(try await queue.store.trace(of: message.id).map(\.kind) == [.receive, .receive, .send])
            #expect(try await queue.store.summary().ready.entries == 1)
            // A second outcome is refused: another owner may have recorded one.
            let again = await queue.store.recordOutcomes([try queue.delivered(entry)])
            #expect(throws: QueueStoreError.self) { try again[0].get() }
        }
    }

    @Test("An entry that cannot be read keeps nobody else waiting, and is held back")
    func unreadable() async throws {
        try await QueueFixture.run { queue in
            let ids = [newID(), newID(), newID()]
            for id in ids { try await queue.writer.enqueue(queue.message(id)) }
            try await queue.admin.query(
                Statement(
                    "UPDATE relay.ready SET recipients = '{}' WHERE message_id = $1",
                    PostgresUUID(high: ids[1].high, low: ids[1].low)))
            let term = try queue.term()
            let claim = try await queue.store.claim(term, destination: bravo)
            #expect(Set(claim.entries.map(\.key.message)) == [ids[0], ids[2]])
            #expect(claim.unreadable.map(\.message) == [ids[1]])
            #expect(claim.unreadable.first?.error.code == .unreadable)
            #expect(claim.cursor != nil)
            try await queue.store.holdBack(claim.unreadable, in: term, for: .seconds(3600))
            #expect(try await queue.store.claim(term, destination: bravo).unreadable.isEmpty)
            #expect(try await queue.count("ready") == 3)
        }
    }

    @Test("One attempt is opened once; the next one, or a new owner's, may follow")
    func openedOnce() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            let term = try queue.term()
            #expect(try await queue.store.openAttempts([(entry, term.epoch)]) == [entry.key])
            #expect(try await queue.store.openAttempts([(entry, term.epoch)]).isEmpty)
            try await queue.store.recordOutcomes([try await queue.retry(entry, in: .zero)]).forEach { try $0.get() }
            let again = try await queue.claimOne()
            #expect(try await queue.store.openAttempts([(again, term.epoch)]) == [entry.key])
            try await queue.takeOver(entry.key.shard)
            let next = Epoch(rawValue: term.epoch.rawValue + 1)
            #expect(try await queue.store.openAttempts([(again, next)]) == [entry.key])
        }
    }

    @Test("A retry within the hour stays ready, one after an hour is deferred, and comes back when due")
    func retries() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            let soon = try await queue.retry(entry, in: .zero)
            try await queue.store.recordOutcomes([soon]).forEach { try $0.get() }
            let second = try await queue.claimOne()
            #expect(second.attempts == 1)
            #expect(second.lastReason == "tlsa-invalid")
            #expect(second.lastStatus == "4.7.323")
            try await queue.store.recordOutcomes([try await queue.retry(second, in: .seconds(3600))]).forEach {
                try $0.get()
            }
            #expect(try await queue.count("ready") == 0)
            #expect(try await queue.store.summary().deferred.entries == 1)
            #expect(try await queue.count("deferred") == 1)
            #expect(try await queue.store.promoteDeferred(try queue.term()) == 0)
            #expect(try await queue.store.promoteDeferred(try queue.term(), within: .seconds(3700)) == 1)
            #expect(try await queue.count("ready") == 1)
            // It is in the other table, and waits all the same.
            #expect(try await queue.store.summary().deferred.entries == 1)
            let events = try await queue.store.trace(of: entry.key.message)
            #expect(events.map(\.kind) == [.receive, .defer, .defer])
            #expect(events[1].reply == "no match\u{FFFD}")
            #expect(events[1].authentication == .dane)
            #expect(events[1].duration == .milliseconds(7))
        }
    }

    @Test("A bounce is queued in the transaction that removes its entry, or not at all")
    func bounce() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            let alpha: DomainName = "alpha.test"
            var outcome = try queue.delivered(entry)
            outcome.events = [queue.event(.fail, entry)]
            var bounce = queue.message(to: [alpha])
            bounce.sender = ""
            outcome.notifications = [bounce]
            var stale = outcome
            stale.epoch = Epoch(rawValue: 99)
            _ = await queue.store.recordOutcomes([stale])
            #expect(try await queue.count("message") == 1)
            try await queue.store.recordOutcomes([outcome]).forEach { try $0.get() }
            let queued = try await queue.claimOne(alpha)
            #expect(queued.sender.isEmpty)
            #expect(try await queue.count("ready") == 1)
        }
    }

    @Test("New entries go to the other partition once that is empty; the old one is truncated when its turn comes")
    func rotation() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            #expect(try await queue.store.rotateReady(atLeast: 0))
            try await queue.writer.enqueue(queue.message())
            #expect(try await queue.count("ready_0") == 1)
            #expect(try await queue.count("ready_1") == 1)
            #expect(try await queue.store.rotateReady(atLeast: 0) == false)
            let entries = try await queue.store.claim(try queue.term(), destination: bravo).entries
            #expect(entries.count == 2)
            try await queue.store.recordOutcomes([try queue.delivered(entries[0])]).forEach { try $0.get() }
            #expect(try await queue.store.rotateReady(atLeast: 0))
        }
    }
}

@Suite("Schema and roles", .timeLimit(.minutes(3)))
struct SchemaTests {
    @Test("Migrating twice, also at once, does no harm")
    func idempotent() async throws {
        try await QueueFixture.run { queue in
            let string = queue.database.connectionString()
            async let first: Void = QueueMigrations.migrate(adminConnectionString: string, logger: .quiet)
            async let second: Void = QueueMigrations.migrate(adminConnectionString: string, logger: .quiet)
            _ = try await (first, second)
            #expect(try await queue.count("schema_version") == Int64(QueueMigrations.latestVersion))
            #expect(try await queue.count("shard_lease") == 64)
        }
    }

    @Test(
        "The queue's role can make, drop, empty and rewrite nothing that is not its own",
        arguments: [
            "CREATE TABLE relay.x (n int)", "DROP TABLE relay.ready", "TRUNCATE relay.ready_0",
            "DELETE FROM relay.trace", "UPDATE relay.trace SET node = ''", "DELETE FROM relay.shard_lease",
            "INSERT INTO relay.shard_lease (shard) VALUES (99)", "CREATE ROLE x", "CREATE SCHEMA x",
        ])
    func leastPrivilege(_ sql: String) async throws {
        try await QueueFixture.run { queue in
            #expect(await driverCode { try await queue.pool.script(sql) } == .insufficientPrivilege)
        }
    }

    @Test("The server stops at once and starts again: what was acknowledged is there, and the queue goes on")
    func restart() async throws {
        try await PrivatePostgres.withServer { server in
            try await QueueFixture.run(on: server) { queue in
                try await queue.writer.enqueue(queue.message())
                try await server.restart()
                try await queue.writer.enqueue(queue.message())
                #expect(try await queue.store.claim(try queue.term(), destination: bravo).entries.count == 2)
            }
        }
    }
}
