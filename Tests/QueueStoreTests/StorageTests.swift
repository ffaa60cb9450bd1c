import ClusterModel
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

@Suite("Storage that keeps its size (DESIGN §4)", .timeLimit(.minutes(5)))
struct StorageTests {
    @Test("Partitions rotate beside a load that never stops")
    func rotationUnderLoad() async throws {
        try await QueueFixture.run { queue in
            try await withThrowingTaskGroup(of: Void.self) { load in
                for number in 0..<4 {
                    load.addTask {
                        let name: DomainName = "busy\(number).test"
                        while !Task.isCancelled {
                            try await queue.writer.enqueue(queue.message(to: [name]))
                            _ = try await queue.store.claim(try queue.term(name), destination: name)
                        }
                    }
                }
                let deadline = ContinuousClock.now + .seconds(60)
                var hasRotated = false
                while !hasRotated, ContinuousClock.now < deadline {
                    hasRotated = try await queue.store.rotateReady(atLeast: 0)
                }
                #expect(hasRotated)
                load.cancelAll()
            }
        }
    }

    @Test("A partition is not switched until it has grown")
    func rotationOfLittle() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            #expect(try await !queue.store.rotateReady())
            #expect(try await queue.store.rotateReady(atLeast: 0))
        }
    }

    @Test("Entries that wait are carried over, so that their partition can be truncated; who has read them goes on")
    func carryOver() async throws {
        try await QueueFixture.run { queue in
            for _ in 0..<5 { try await queue.writer.enqueue(queue.message()) }
            let entries = try await queue.store.claim(try queue.term(), destination: bravo).entries
            let term = try queue.term()
            _ = try await queue.store.openAttempts([(entries[0], term.epoch)])
            #expect(try await queue.store.rotateReady(atLeast: 0))
            #expect(try await !queue.store.rotateReady(atLeast: 0))
            #expect(try await queue.store.carryOver(term, limit: 3) == 3)
            #expect(try await queue.store.carryOver(term, limit: 3) == 2)
            #expect(try await queue.store.carryOver(term, limit: 3) == 0)
            #expect(try await queue.store.rotateReady(atLeast: 0))
            try await queue.store.recordOutcomes([try queue.delivered(entries[0])]).forEach { try $0.get() }
            #expect(try await queue.store.openAttempts([(entries[1], term.epoch)]) == [entries[1].key])
            #expect(try await queue.store.claim(term, destination: bravo).entries.count == 4)
            #expect(try await queue.store.storedTotal().entries == 4)
        }
    }

    @Test("A stale owner carries nothing over (hostile-input 32)")
    func staleCarryOver() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            #expect(try await queue.store.rotateReady(atLeast: 0))
            let term = try queue.term()
            try await queue.takeOver(term.shard)
            #expect(await code { try await queue.store.carryOver(term) } == .staleEpoch)
        }
    }

    @Test("Outcomes are recorded while their entries are carried over")
    func carryOverBesideOutcomes() async throws {
        try await QueueFixture.run { queue in
            try await queue.fill([bravo], each: 300)
            let term = try queue.term()
            let entries = try await queue.store.claim(term, destination: bravo, maximumCount: 300).entries
            #expect(try await queue.store.rotateReady(atLeast: 0))
            async let carried: Void = {
                while try await queue.store.carryOver(term, limit: 10) == 10 {}
            }()
            for start in stride(from: 0, to: 300, by: 20) {
                let batch = entries[start..<start + 20]
                #expect(try await queue.store.openAttempts(batch.map { ($0, term.epoch) }).count == 20)
                try await queue.store.recordOutcomes(try batch.map { try queue.delivered($0) }).forEach { try $0.get() }
            }
            try await carried
            #expect(try await queue.count("ready") == 0)
            #expect(try await queue.count("open_attempt") == 0)
        }
    }

    @Test(
        "hostile-input 34: under a foreign snapshot 200,000 dead rows cost a claim next to nothing, and a node can say who"
    )
    func foreignSnapshot() async throws {
        try await QueueFixture.run { queue in
            try await queue.withForeignSnapshot {
                for _ in 0..<4 {
                    try await queue.wear(bravo, 50_000)
                    // Once to leave the partition, and some seconds later to truncate it.
                    try await queue.rotateAsNodesDo()
                    try await queue.rotateAsNodesDo()
                }
                try await queue.fill([bravo], each: 10)
                try await CountedStore.run(queue) { node in
                    let term = try queue.term()
                    let pages = try await node.pages { store in
                        let claim = try await store.claim(term, destination: bravo)
                        #expect(claim.entries.count == 10)
                    }
                    // Each dead row that a claim passes is a page touched.
                    #expect(pages < 5000, "\(pages) pages for a claim of ten")
                    guard case .oldest(let snapshot) = try await node.store.oldestSnapshot() else {
                        Issue.record("nothing is seen of the foreign transaction")
                        return
                    }
                    #expect(snapshot.kind == .transaction)
                    #expect(snapshot.holder.contains("role postgres"))
                    let age = try #require(snapshot.age)
                    #expect(age > .zero)
                }
            }
        }
    }

    @Test("Entries of a dead domain do not keep dead rows in place: they are moved out of the way, once")
    func deadDomain() async throws {
        try await QueueFixture.run { queue in
            let dead: DomainName = "dead.test"
            try await queue.fill([dead], each: 2000)
            try await queue.withForeignSnapshot {
                for _ in 0..<3 {
                    try await queue.wear(bravo, 30_000)
                    for _ in 0..<3 { try await queue.rotateAsNodesDo() }
                }
                #expect(try await queue.count("ready_2") == 2000)
                #expect(try await queue.count("ready") == 2000)
                try await queue.fill([bravo], each: 10)
                try await CountedStore.run(queue) { node in
                    let term = try queue.term()
                    let pages = try await node.pages { store in
                        let claim = try await store.claim(term, destination: bravo)
                        #expect(claim.entries.count == 10)
                    }
                    #expect(pages < 5000, "\(pages) pages for a claim of ten")
                }
                // Those that were moved are where they are looked for.
                let claim = try await queue.store.claim(try queue.term(dead), destination: dead)
                #expect(claim.entries.count == 100)
            }
        }
    }

    @Test("The trace keeps its days and drops those that are over; at least one is kept")
    func trace() async throws {
        try await QueueFixture.run { queue in
            // A queue that has run since 2020.
            try await queue.dropTraceDays()
            try await queue.admin.script(
                """
                CREATE TABLE relay.trace_20200101 PARTITION OF relay.trace
                    FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00');
                INSERT INTO relay.trace (shard, message_id, at, kind, node, domain, recipients, attempt)
                SELECT 1, gen_random_uuid(), '2020-01-01 12:00:00+00', 'SEND', 'n', 'd.test', 'r', 1
                """)
            #expect(try await queue.store.keepTrace(for: .seconds(86_400 * 10_000)) == 0)
            let message = queue.message()
            try await queue.writer.enqueue(message)
            #expect(try await queue.count("trace") == 2)
            #expect(try await queue.store.keepTrace(for: .zero) == 1)
            #expect(try await queue.count("trace") == 1)
            #expect(try await queue.count("trace_other") == 0)
            #expect(try await queue.store.trace(of: message.id).map(\.kind) == [.receive])
        }
    }

    @Test("Over its limit in bytes the trace loses its oldest days, and no more than it must (field A5)")
    func traceSize() async throws {
        try await QueueFixture.run { queue in
            try await queue.dropTraceDays()
            for day in ["01", "02", "03"] {
                try await queue.admin.script(
                    """
                    CREATE TABLE relay.trace_202001\(day) PARTITION OF relay.trace
                        FOR VALUES FROM ('2020-01-\(day) 00:00:00+00') TO ('2020-01-\(day) 24:00:00+00');
                    INSERT INTO relay.trace (shard, message_id, at, kind, node, domain, recipients, attempt)
                    SELECT 1, gen_random_uuid(), '2020-01-\(day) 12:00:00+00', 'SEND', 'n', 'd.test', repeat('r', 900), 1
                    FROM generate_series(1, 2700)
                    """)
            }
            _ = try await queue.store.keepTrace(for: .seconds(86_400 * 10_000))
            let message = queue.message()
            try await queue.writer.enqueue(message)
            #expect(try await queue.store.limitTrace(to: 100 << 20) == 0)
            #expect(try await queue.count("trace") == 8101)
            #expect(try await queue.store.limitTrace(to: 8 << 20) == 1)
            #expect(try await queue.count("trace") == 5401)
            #expect(try await queue.count("trace_20200103") == 2700)
            // The least that can be asked for.
            #expect(try await queue.store.limitTrace(to: 0) == 1)
            #expect(try await queue.store.trace(of: message.id).map(\.kind) == [.receive])
        }
    }

    @Test("A day that alone is over the limit is forgotten too, and the trace goes on (field A5)")
    func traceOfToday() async throws {
        try await QueueFixture.run { queue in
            try await queue.admin.script(
                """
                INSERT INTO relay.trace (shard, message_id, kind, node, domain, recipients, attempt)
                SELECT 1, gen_random_uuid(), 'SEND', 'n', 'd.test', repeat('r', 900), 1 FROM generate_series(1, 6000)
                """)
            let before = try await queue.store.databaseSize()
            #expect(try await queue.store.limitTrace(to: 4 << 20) >= 1)
            #expect(try await queue.count("trace") == 0)
            #expect(try await queue.store.databaseSize() < before - (4 << 20))
            let message = queue.message()
            try await queue.writer.enqueue(message)
            #expect(try await queue.store.limitTrace(to: 4 << 20) == 0)
            #expect(try await queue.store.trace(of: message.id).map(\.kind) == [.receive])
        }
    }

    @Test("A row of the trace names as many recipients as fit into 4 KiB, and counts the others (field A5)")
    func traceRecipients() {
        #expect(TraceEvent.text(of: []) == "")
        #expect(TraceEvent.text(of: ["a@a.test", "b@b.test"]) == "a@a.test b@b.test")
        let all = (0..<1000).map { "recipient-\($0)@d.test" }
        let text = TraceEvent.text(of: all)
        let named = text.split(separator: " ").prefix { $0 != "and" }
        #expect(text.utf8.count < TraceEvent.recipientBytes + 20)
        #expect(named.map(String.init) == Array(all.prefix(named.count)))
        #expect(text.hasSuffix(" and \(1000 - named.count) more"))
        #expect(TraceEvent.text(of: [String(repeating: "x", count: 5000)]) == "and 1 more")
    }

    @Test("A day that was not made in time keeps no outcome from being recorded")
    func missingDay() async throws {
        try await QueueFixture.run { queue in
            try await queue.dropTraceDays()
            let message = queue.message()
            try await queue.writer.enqueue(message)
            #expect(try await queue.count("trace_other") == 1)
            #expect(try await queue.store.keepTrace(for: .seconds(86_400)) == 0)
            #expect(try await queue.store.trace(of: message.id).map(\.kind) == [.receive])
        }
    }

    @Test("Bodies that nobody published are swept a few at a time; so are destinations that were held back once")
    func sweeps() async throws {
        try await QueueFixture.run { queue in
            for _ in 0..<3 {
                var writer = queue.writer.bodyWriter(for: queue.message())
                try await writer.write([UInt8](repeating: 0x78, count: 100))
                _ = try await writer.finish()
            }
            #expect(try await queue.store.sweepOrphans(olderThan: .zero, limit: 2) == 2)
            #expect(try await queue.store.sweepOrphans(olderThan: .zero, limit: 2) == 1)
            #expect(try await queue.count("body_chunk") == 0)
            try await queue.block("old.test", for: -90_000)
            try await queue.block("new.test", for: -60)
            for lease in queue.leases { try await queue.store.sweepDestinations(lease.term) }
            #expect(try await queue.count("destination") == 1)
        }
    }

    @Test("Every table has autovacuum settings of ours")
    func vacuuming() async throws {
        try await QueueFixture.run { queue in
            let bare = try await queue.admin.query(
                Statement(
                    """
                    SELECT relname::text FROM pg_class WHERE relnamespace = 'relay'::regnamespace AND relkind = 'r'
                        AND relname NOT IN ('schema_version', 'ready_generation', 'trace_other')
                        AND NOT coalesce(reloptions::text LIKE '%autovacuum_%', false)
                    """))
            let names = try bare.rows.map { try $0.get(0, as: String.self) }
            #expect(names.isEmpty)
        }
    }
}
