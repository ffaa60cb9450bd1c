import ClusterModel
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

/// A large queue costs what a small one does. What is compared is work, in pages touched: speed is for `relay-bench`.
@Suite("The queue at size (DESIGN §4)", .timeLimit(.minutes(5)))
struct SizeTests {
    private static let names = (0..<1000).map { "d\($0).test" as DomainName }

    @Test("A look at what became due costs the same however much waits")
    func look() async throws {
        try await QueueFixture.run { queue in
            let terms = queue.leases.map(\.term)
            try await CountedStore.run(queue) { node in
                try await queue.fill(Array(Self.names.prefix(10)), each: 20)
                let few = try await node.pages { _ = try await $0.latelyDue(terms) }
                try await queue.fill(Self.names, each: 20)
                let many = try await node.pages { _ = try await $0.latelyDue(terms) }
                // A deeper index has a page more on the way down, in each of 64 shards and two partitions.
                #expect(many <= few + 3 * 128, "\(few) pages, then \(many)")
            }
        }
    }

    @Test("A look costs the same when a great queue was released a moment ago, and sees what came after it")
    func lookAfterRelease() async throws {
        try await QueueFixture.run { queue in
            let terms = queue.leases.map(\.term)
            let shard = try queue.term(bravo).shard
            let neighbour = try #require(Self.names.first { try queue.term($0).shard == shard })
            try await CountedStore.run(queue) { node in
                try await queue.fill([bravo], each: 2000, dueFor: 0)
                let few = try await node.pages { _ = try await $0.latelyDue(terms) }
                try await queue.fill([bravo], each: 20_000, dueFor: 0)
                let many = try await node.pages { _ = try await $0.latelyDue(terms) }
                #expect(many <= few + 128, "\(few) pages, then \(many)")
            }
            try await queue.fill([neighbour], each: 1, dueFor: 0)
            #expect(try await queue.store.latelyDue(terms, limit: 1).due.map(\.destination) == [neighbour])
        }
    }

    @Test("hostile-input 35: what no hint told of, and what was committed late, is found by the next look")
    func lostHint() async throws {
        try await QueueFixture.run { queue in
            let terms = queue.leases.map(\.term)
            try await queue.fill(Array(Self.names.prefix(20)), each: 1)
            let first = try await queue.store.latelyDue(terms)
            #expect(first.due.isEmpty)
            try await queue.writer.enqueue(queue.message())
            let second = try await queue.store.latelyDue(terms, since: first.moment)
            #expect(second.due.map(\.destination) == [bravo])
            // Its transaction took the time at its beginning, and ended after the second look.
            let late: DomainName = "late.test"
            try await queue.writer.enqueue(queue.message(to: [late]))
            try await queue.admin.script(
                "UPDATE relay.ready SET next_attempt_at = now() - interval '15 seconds' WHERE destination = 'late.test'"
            )
            let third = try await queue.store.latelyDue(terms, since: second.moment)
            #expect(third.due.map(\.destination).contains(late))
        }
    }

    @Test("A destination that is held back is not found by a look; once it is let go it is")
    func letGo() async throws {
        try await QueueFixture.run { queue in
            let terms = queue.leases.map(\.term)
            try await queue.fill([bravo], each: 10)
            try await queue.block(bravo, for: 60)
            #expect(try await queue.store.latelyDue(terms).due.isEmpty)
            try await queue.block(bravo, for: 0)
            #expect(try await queue.store.latelyDue(terms).due.map(\.destination) == [bravo])
        }
    }

    @Test("A claim costs the same from a queue of ten as from one of 20,000, and beside it")
    func claim() async throws {
        try await QueueFixture.run { queue in
            let other: DomainName = "charlie.test"
            try await queue.fill([bravo, other], each: 10)
            try await CountedStore.run(queue) { node in
                func claim(_ name: DomainName) async throws -> Int64 {
                    let term = try queue.term(name)
                    return try await node.pages {
                        let claim = try await $0.claim(term, destination: name, maximumCount: 10)
                        #expect(claim.entries.count == 10)
                    }
                }
                let short = try await claim(bravo)
                try await queue.fill([bravo], each: 20_000, dueFor: 30)
                #expect(try await claim(bravo) <= short + 60)
                #expect(try await claim(other) <= short + 60)
            }
        }
    }

    @Test("An operator's summary, and the oldest of each state, cost the same however much waits")
    func summary() async throws {
        try await QueueFixture.run { queue in
            // Every shard has something: what the look costs goes by their number.
            try await queue.fill(Self.names, each: 1)
            try await queue.admin.script("VACUUM ANALYZE")
            try await CountedStore.run(queue) { node, operators in
                func pages() async throws -> Int64 {
                    try await node.pages { _ in
                        _ = try await operators.overview()
                    }
                }
                let few = try await pages()
                try await queue.fill(Self.names, each: 20)
                // A deeper index has a page more on the way down, in each of 64 shards, two partitions and six looks.
                let many = try await pages()
                #expect(many <= few + 6 * 128, "\(few) pages, then \(many)")
            }
        }
    }

    @Test("A walk visits each destination once, page by page, without a scan of their entries")
    func walk() async throws {
        try await QueueFixture.run { queue in
            let terms = queue.leases.map(\.term)
            let names = Array(Self.names.prefix(200))
            try await queue.fill(names, each: 100)
            try await CountedStore.run(queue) { node in
                var seen: [DomainName] = []
                let pages = try await node.pages { store in
                    var cursor: DueCursor?
                    repeat {
                        let page = try await store.dueDestinations(terms, after: cursor, limit: 70)
                        seen += page.due.map(\.destination)
                        cursor = page.cursor
                    } while cursor != nil
                }
                #expect(seen.count == names.count)
                #expect(Set(seen) == Set(names))
                // A way down two indexes for each destination, and for each shard at the end of a page.
                #expect(pages < 10_000, "\(pages) pages for 200 destinations with 20,000 entries")
            }
        }
    }

    @Test("Plans made while there was next to nothing in the queue never become walks through a full one")
    func plans() async throws {
        try await QueueFixture.run { queue in
            let names = Array(Self.names.prefix(500))
            // Plans stay, however long this takes.
            try await CountedStore.run(queue, plansLive: .seconds(3600)) { node in
                // As it is after a quiet night: one entry is left in each table, and the planner knows that.
                for name: DomainName in ["waits.test", "comes.test"] {
                    try await queue.writer.enqueue(queue.message(to: [name]))
                }
                let entry = try await Self.open("waits.test", try queue.term("waits.test"), node.store)
                let wait = try await queue.retry(entry, in: .seconds(80_000))
                try await node.store.recordOutcomes([wait]).forEach { try $0.get() }
                _ = try await Self.open("comes.test", try queue.term("comes.test"), node.store)
                try await queue.admin.script("VACUUM ANALYZE")
                try await Self.life(of: "second.test", queue, node.store)
                try await queue.fill(names, each: 40)
                let pages = try await node.pages { store in
                    try await Self.life(of: "third.test", queue, store)
                }
                // A walk touches each of the 20,000 entries once for each statement.
                #expect(pages < 10_000, "\(pages) pages for the life of a message")
            }
        }
    }

    /// One message: accepted, tried twice, deferred, brought back, delivered, forgotten.
    private static func life(of name: DomainName, _ queue: QueueFixture, _ store: QueueStore) async throws {
        let term = try queue.term(name)
        let writer = QueueWriter(pool: store.pool, map: store.shardMap, node: "node-a")
        try await writer.enqueue(queue.message(to: [name]))
        for wait in [Duration.milliseconds(1), .seconds(4000)] {
            let entry = try await Self.open(name, term, store)
            try await store.recordOutcomes([try await queue.retry(entry, in: wait)]).forEach { try $0.get() }
            if wait < .seconds(1) { try await Task.sleep(for: .milliseconds(20)) }
        }
        #expect(try await store.promoteDeferred(term, within: .seconds(5000)) == 1)
        try await queue.admin.script(
            "UPDATE relay.ready SET next_attempt_at = now() - interval '1 s' WHERE destination = '\(name)'")
        let entry = try await Self.open(name, term, store)
        try await store.recordOutcomes([try queue.delivered(entry)]).forEach { try $0.get() }
        #expect(try await store.sweepFinished(term.shard, olderThan: .zero) == 1)
    }

    private static func open(_ name: DomainName, _ term: ShardTerm, _ store: QueueStore) async throws -> QueueEntry {
        let entry = try #require(try await store.claim(term, destination: name).entries.first)
        #expect(try await store.openAttempts([(entry, term.epoch)]) == [entry.key])
        return entry
    }
}
