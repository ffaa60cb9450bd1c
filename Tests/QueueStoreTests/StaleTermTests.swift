import ClusterModel
import LabSupport
import MailModel
import PostgresDriver
import TestLiterals
import Testing

@testable import QueueStore

/// Each lease that moves leaves its former owner with outcomes and attempts of a term that is over, among hundreds of others.
@Suite("One of many in a batch is refused", .timeLimit(.minutes(3)))
struct StaleTermTests {
    private let charlie: DomainName = "charlie.test"

    /// 255 entries of a shard that stays ours, and in the middle of them one of a shard that another node takes.
    private func mixedBatch(_ queue: QueueFixture) async throws -> (entries: [QueueEntry], lost: Int) {
        let messages = (0..<255).map { _ in queue.message() } + [queue.message(to: [self.charlie])]
        try await withThrowingTaskGroup { group in
            for message in messages { group.addTask { try await queue.writer.enqueue(message) } }
            try await group.waitForAll()
        }
        var entries = try await queue.store.claim(queue.term(), destination: bravo, maximumCount: 300).entries
        let lost = try await queue.claimOne(self.charlie)
        try #require(entries.count == 255 && lost.key.shard != entries[0].key.shard)
        try await queue.takeOver(lost.key.shard)
        entries.insert(lost, at: 100)
        return (entries, 100)
    }

    @Test("Of 256 outcomes one is of a term that is over: it alone fails, and two transactions record the rest")
    func outcomes() async throws {
        try await QueueFixture.run { queue in
            let (entries, lost) = try await self.mixedBatch(queue)
            let before = queue.pool.statistics.completed
            let results = await queue.store.recordOutcomes(try entries.map { try queue.delivered($0) })
            #expect(queue.pool.statistics.completed - before == 2)
            #expect(results.indices.filter { (try? results[$0].get()) == nil } == [lost])
            guard case .failure(let refusal) = results[lost] else { return }
            #expect(refusal.code == .staleEpoch)
            #expect(refusal.staleTerms == [try queue.term(self.charlie)])
            #expect(try await queue.count("ready") == 1)
        }
    }

    @Test("Of 256 attempts one is of a term that is over: it alone is not opened, and two transactions open the rest")
    func attempts() async throws {
        try await QueueFixture.run { queue in
            let (entries, lost) = try await self.mixedBatch(queue)
            let before = queue.pool.statistics.completed
            let epoch = try queue.term().epoch
            let opened = try await queue.store.openAttempts(entries.map { ($0, epoch) })
            #expect(queue.pool.statistics.completed - before == 2)
            #expect(opened.count == 255)
            #expect(!opened.contains(entries[lost].key))
        }
    }

    @Test("A node that has lost all its shards is told so, and nothing is written")
    func allLost() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            try await queue.takeOver(entry.key.shard)
            let attempts = [(entry: entry, epoch: try queue.term().epoch)]
            #expect(await code { _ = try await queue.store.openAttempts(attempts) } == .staleEpoch)
            let results = await queue.store.recordOutcomes([try queue.delivered(entry)])
            #expect(throws: QueueStoreError.self) { try results[0].get() }
            #expect(try await queue.count("open_attempt") == 0)
        }
    }

    @Test("Of 256 outcomes one is of an entry that somebody took away: it is found by 33 transactions, not by 257")
    func changedEntry() async throws {
        try await QueueFixture.run { queue in
            let (entries, lost) = try await self.mixedBatch(queue)
            let ours = entries.enumerated().filter { $0.offset != lost }.map(\.element)
            let gone = ours[200]
            try await queue.admin.query(
                Statement("DELETE FROM relay.ready WHERE message_id = $1", gone.key.message.uuid))
            let before = queue.pool.statistics.completed
            let results = await queue.store.recordOutcomes(try ours.map { try queue.delivered($0) })
            #expect(queue.pool.statistics.completed - before <= 33)
            #expect(results.indices.filter { (try? results[$0].get()) == nil } == [200])
            // The entry of the shard that was lost.
            #expect(try await queue.count("ready") == 1)
        }
    }

    @Test("Of 256 messages one is refused by the database: it is found by 33 transactions, not by 257")
    func badMessage() async throws {
        var limits = QueueWriter.Limits()
        limits.commitsInFlight = 1
        try await QueueFixture.run(limits: limits) { queue in
            try await queue.admin.script("ALTER TABLE relay.message ADD CHECK (sender <> 'bad@alpha.test')")
            let before = queue.pool.statistics.completed
            try await queue.whileOpen("LOCK TABLE relay.message IN SHARE MODE") { lock in
                try await withThrowingTaskGroup(of: QueueStoreError.Code?.self) { group in
                    // One leads and is held up; the others are the next batch.
                    group.addTask { await code { try await queue.writer.enqueue(queue.message()) } }
                    try await lock.waitUntilItHoldsUp()
                    for number in 0..<256 {
                        var message = queue.message()
                        if number == 100 { message.sender = "bad@alpha.test" }
                        group.addTask { [message] in await code { try await queue.writer.enqueue(message) } }
                    }
                    #expect(await eventually { queue.writer.waitingCount == 256 })
                    try await lock.commit()
                    #expect(try await group.reduce(into: []) { $0.append($1) }.compactMap(\.self) == [.database])
                }
            }
            #expect(queue.pool.statistics.completed - before <= 34)
            #expect(try await queue.count("message") == 256)
        }
    }
}
