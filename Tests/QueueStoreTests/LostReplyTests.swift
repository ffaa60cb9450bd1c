import ClusterModel
import Foundation
import LabDatabase
import LabSupport
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

/// The COMMIT is done, and its reply is lost on the way; or the connection is cut in front of it.
@Suite("Replies that are lost (hostile-input 31)", .timeLimit(.minutes(3)))
struct LostReplyTests {
    /// A queue of this test's own, and the same queue as a node sees it whose connections go through a proxy.
    private func run(
        _ body: (QueueFixture, PostgresProxy, QueueStore, QueueWriter) async throws -> Void
    ) async throws {
        try await QueueFixture.run { queue in
            try await PostgresProxy.with(try await .shared()) { proxy in
                var settings = QueueStore.poolSettings(
                    connectionString:
                        "host=\(proxy.directory.path) port=5432 dbname=\(queue.database.name) user=\(QueueLogin.node)")
                settings.size = 2
                settings.acquireTimeout = .seconds(20)
                let pool = PostgresPool(settings, logger: .quiet)
                defer { pool.shutDown() }
                let store = try await QueueStore(pool: pool, node: "node-a")
                let writer = QueueWriter(pool: pool, map: store.shardMap, node: "node-a")
                try await body(queue, proxy, store, writer)
            }
        }
    }

    @Test(
        "hostile-input 31: an INSERT whose reply was lost, or that was cut off, is repeated, and there is one message",
        arguments: [PostgresProxy.Fault.loseReply, .cutBeforeCommit], [1, 3])
    func enqueue(_ fault: PostgresProxy.Fault, times: Int) async throws {
        try await self.run { queue, proxy, _, writer in
            proxy.plan(fault, of: "INSERT INTO relay.message", times: times)
            let id = newID()
            try await writer.enqueue(queue.message(id, to: [bravo, "charlie.test"]))
            #expect(proxy.faultCount == times)
            #expect(try await queue.count("ready") == 2)
            #expect(try await queue.count("trace") == 2)
            #expect(try await queue.store.summary().ready.entries == 2)
        }
    }

    @Test("hostile-input 31: an INSERT whose replies are all lost is not called stored, although it is")
    func enqueueInVain() async throws {
        try await self.run { queue, proxy, _, writer in
            proxy.plan(.loseReply, of: "INSERT INTO relay.message", times: 100)
            let message = queue.message()
            let refusal = await code { try await writer.enqueue(message) }
            #expect(refusal == .ambiguous)
            let (entries, events) = (try await queue.count("ready"), try await queue.count("trace"))
            #expect(entries == 1)
            #expect(events == 1)
        }
    }

    @Test("hostile-input 31: a chunk of a body whose reply was lost is stored once")
    func bodyChunk() async throws {
        try await self.run { queue, proxy, _, writer in
            var message = queue.message()
            var body = writer.bodyWriter(for: message)
            proxy.plan(.loseReply, of: "INSERT INTO relay.body_chunk", times: 2)
            let content = [UInt8](repeating: 7, count: 150_000)
            try await body.write(content)
            message.body = .staged(try await body.finish())
            try await writer.enqueue(message)
            var reader = queue.store.reader(of: try await queue.claimOne().key)
            var read: [UInt8] = []
            while let piece = try await reader.next() { read += piece }
            #expect(read == content)
        }
    }

    @Test("hostile-input 31: an opening whose reply was lost permits no attempt, and the entry is tried again")
    func openAttempt() async throws {
        try await self.run { queue, proxy, store, writer in
            try await writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            let epoch = try queue.term().epoch
            proxy.plan(.loseReply, of: "INSERT INTO relay.open_attempt")
            #expect(try await store.openAttempts([(entry, epoch)]).isEmpty)
            #expect(try await queue.count("open_attempt") == 1)
            #expect(try await queue.claimOne().openAttempt != nil)
        }
    }

    @Test("hostile-input 31: an opening that was cut off in front of its COMMIT is made by the repetition")
    func openAttemptCut() async throws {
        try await self.run { queue, proxy, store, writer in
            try await writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            proxy.plan(.cutBeforeCommit, of: "INSERT INTO relay.open_attempt")
            #expect(try await store.openAttempts([(entry, try queue.term().epoch)]) == [entry.key])
            #expect(try await queue.count("open_attempt") == 1)
        }
    }

    @Test(
        "hostile-input 31: an outcome whose reply was lost, or that was cut off, is recorded once",
        arguments: [PostgresProxy.Fault.loseReply, .cutBeforeCommit])
    func record(_ fault: PostgresProxy.Fault) async throws {
        try await self.run { queue, proxy, store, writer in
            try await writer.enqueue(queue.message())
            try await writer.enqueue(queue.message(to: ["charlie.test"]))
            let entries = [try await queue.claimOne(), try await queue.claimOne("charlie.test")]
            _ = try await store.openAttempts(try entries.map { ($0, try queue.term($0.key.domain).epoch) })
            proxy.plan(fault, of: "DELETE FROM relay.open_attempt")
            let outcomes = [try queue.delivered(entries[0]), try await queue.retry(entries[1], in: .seconds(60))]
            for result in await store.recordOutcomes(outcomes) { try result.get() }
            #expect(proxy.faultCount == 1)
            #expect(try await queue.count("open_attempt") == 0)
            #expect(try await queue.count("ready") == 1)
            #expect(try await queue.store.trace(of: entries[0].key.message).map(\.kind) == [.receive, .send])
            #expect(try await queue.store.trace(of: entries[1].key.message).map(\.kind) == [.receive, .defer])
            #expect(try await queue.store.storedTotal().entries == 1)
        }
    }

    @Test("hostile-input 31: of several outcomes whose refusal was lost, each is recorded that was not")
    func refusalLost() async throws {
        try await self.run { queue, proxy, store, writer in
            try await writer.enqueue(queue.message())
            try await writer.enqueue(queue.message(to: ["charlie.test"]))
            let entries = [try await queue.claimOne(), try await queue.claimOne("charlie.test")]
            _ = try await store.openAttempts(try entries.map { ($0, try queue.term($0.key.domain).epoch) })
            // The first was recorded before, by a transaction of which nobody heard.
            for result in await queue.store.recordOutcomes([try queue.delivered(entries[0])]) { try result.get() }
            proxy.plan(.loseReply, of: "DELETE FROM relay.open_attempt")
            let results = await store.recordOutcomes(try entries.map { try queue.delivered($0) })
            for result in results { try result.get() }
            #expect(proxy.faultCount == 1)
            #expect(try await queue.count("ready") == 0)
            for entry in entries {
                #expect(try await queue.store.trace(of: entry.key.message).map(\.kind) == [.receive, .send])
            }
        }
    }

    @Test(
        "hostile-input 31: a message is not called stored before the standby has it, however often COMMIT was cut off")
    func synchronousStandby() async throws {
        try await PrivatePostgres.withServer { primary in
            let standby = try await primary.startStandby(in: URL(filePath: "\(primary.directory.path)-standby"))
            do {
                try await QueueFixture.run(on: primary) { queue in
                    await standby.stopImmediately()
                    let stored = Task { try await queue.writer.enqueue(queue.message()) }
                    // An administrator cancels the wait: the row is there for all to see, on this server alone.
                    let waiting =
                        "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = '\(QueueLogin.node)'"
                    try await queue.waitUntil("SELECT count(*) \(waiting)")
                    try await queue.admin.query(Statement("SELECT pg_cancel_backend(pid) \(waiting)"))
                    try await queue.waitUntil("SELECT count(*) FROM relay.message")
                    // The repetition finds it stored, and waits all the same.
                    try await queue.waitUntil("SELECT count(*) \(waiting)")
                    try await Task.sleep(for: .milliseconds(300))
                    let left = try await queue.admin.query(Statement("SELECT count(*) \(waiting)")).single()
                    #expect(try left.get(0, as: Int64.self) == 1)
                    try await standby.restart()
                    try await stored.value
                    #expect(try await queue.count("ready") == 1)
                }
            } catch {
                await standby.stop()
                throw error
            }
            await standby.stop()
        }
    }

    @Test("hostile-input 33: a storage check leaves no row behind")
    func storageCheck() async throws {
        try await QueueFixture.run { queue in
            for pieces in [1, 16, 64] { try await queue.store.checkStorage(pieces: pieces) }
            #expect(try await queue.count("body_chunk") == 0)
            #expect(try await queue.count("staged_body") == 0)
        }
    }
}
