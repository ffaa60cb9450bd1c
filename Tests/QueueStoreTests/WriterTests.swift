import ClusterModel
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

@Suite("Accepting (DESIGN §4)", .timeLimit(.minutes(3)))
struct WriterTests {
    @Test("A stored message is read back whole: envelope, recipients, body, trace, summary")
    func roundTrip() async throws {
        try await QueueFixture.run { queue in
            let id = newID()
            try await queue.writer.enqueue(queue.message(id, body: "Subject: x\r\n\r\nb\0dy\r\n"))
            let entry = try await queue.claimOne()
            #expect(entry.key.message == id)
            #expect(entry.sender == "alice@alpha.test")
            #expect(entry.recipients == [QueueRecipient(address: "bob@bravo.test")])
            #expect(entry.attempts == 0)
            #expect(entry.openAttempt == nil)
            var reader = queue.store.reader(of: entry.key)
            #expect(try await reader.next() == Array("Subject: x\r\n\r\nb\0dy\r\n".utf8))
            #expect(try await reader.next() == nil)
            #expect(try await queue.store.trace(of: id).map(\.kind) == [.receive])
            let ready = try await queue.store.summary().ready
            #expect(ready.entries == 1)
            #expect(ready.bytes == entry.size)
        }
    }

    @Test("The same id twice is one message (hostile-input 31)")
    func repeated() async throws {
        try await QueueFixture.run { queue in
            let message = queue.message(to: [bravo, "charlie.test"])
            try await queue.writer.enqueue(message)
            try await queue.writer.enqueue(message)
            #expect(try await queue.count("ready") == 2)
            #expect(try await queue.count("trace") == 2)
        }
    }

    @Test("The same id again after delivery stores nothing: finished ids stay for a while")
    func repeatedAfterDelivery() async throws {
        try await QueueFixture.run { queue in
            let message = queue.message()
            try await queue.writer.enqueue(message)
            let results = await queue.store.recordOutcomes([try queue.delivered(try await queue.claimOne())])
            try results.forEach { try $0.get() }
            try await queue.writer.enqueue(message)
            #expect(try await queue.count("ready") == 0)
            #expect(try await queue.count("message") == 1)
            #expect(try await queue.store.sweepFinished(try queue.term().shard, olderThan: .zero) == 1)
            #expect(try await queue.count("message") == 0)
        }
    }

    @Test("Many callers at once share few commits, and each is stored")
    func groupCommit() async throws {
        try await QueueFixture.run { queue in
            let before = queue.pool.statistics.completed
            // The first commit is held up until all have come.
            try await queue.whileOpen("LOCK TABLE relay.message IN SHARE MODE") { lock in
                try await withThrowingTaskGroup { group in
                    for _ in 0..<200 {
                        group.addTask { try await queue.writer.enqueue(queue.message()) }
                    }
                    try await lock.waitUntilItHoldsUp()
                    try await lock.commit()
                    try await group.waitForAll()
                }
            }
            #expect(try await queue.count("ready") == 200)
            #expect(queue.pool.statistics.completed - before < 20)
            #expect(try await queue.store.summary().ready.entries == 200)
        }
    }

    @Test("One bad message in a batch is refused alone")
    func badMessage() async throws {
        try await QueueFixture.run { queue in
            // A constraint of the test's own, for there is no message that the tables do not take.
            try await queue.admin.script("ALTER TABLE relay.message ADD CHECK (sender <> 'bad@alpha.test')")
            let codes = await withTaskGroup(of: QueueStoreError.Code?.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        var message = queue.message()
                        if number == 20 { message.sender = "bad@alpha.test" }
                        return await code { try await queue.writer.enqueue(message) }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.compactMap(\.self) == [.database])
            #expect(try await queue.count("message") == 49)
        }
    }

    @Test("More than may wait is refused at once as overloaded")
    func overloaded() async throws {
        var limits = QueueWriter.Limits()
        limits.waitingCount = 1
        limits.commitsInFlight = 1
        try await QueueFixture.run(limits: limits) { queue in
            let codes = await withTaskGroup(of: QueueStoreError.Code?.self) { group in
                for _ in 0..<20 {
                    group.addTask { await code { try await queue.writer.enqueue(queue.message()) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.contains(.overloaded))
            let accepted = Int64(codes.count { $0 == nil })
            let stored = try await queue.count("message")
            #expect(stored == accepted)
        }
    }

    @Test("The server's end is killed while it commits: the repetition finds out, and one message is stored")
    func killedInCommit() async throws {
        try await QueueFixture.run { queue in
            // The statement is held up by a lock, so that the kill comes in the middle of the transaction.
            try await queue.whileOpen("LOCK TABLE relay.message IN SHARE MODE") { lock in
                async let stored: Void = queue.writer.enqueue(queue.message())
                try await lock.waitUntilItHoldsUp()
                try await queue.admin.query(Statement("SELECT pg_terminate_backend(pid) \(OpenTransaction.heldUp)"))
                try await lock.commit()
                try await stored
            }
            #expect(try await queue.count("ready") == 1)
            #expect(queue.pool.statistics.errors[.ambiguousCommit] == 1)
        }
    }

    @Test("A large body goes in and comes out in chunks, and goes when the message is delivered")
    func largeBody() async throws {
        try await QueueFixture.run { queue in
            var message = queue.message()
            let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            var body = queue.writer.bodyWriter(for: message)
            for start in stride(from: 0, to: content.count, by: 30_000) {
                try await body.write(Array(content[start..<min(start + 30_000, content.count)]))
            }
            message.body = .staged(try await body.finish())
            try await queue.writer.enqueue(message)
            try await queue.writer.enqueue(message)
            let entry = try await queue.claimOne()
            var reader = queue.store.reader(of: entry.key)
            var read: [UInt8] = []
            while let piece = try await reader.next() {
                #expect(piece.count <= QueueLimits.inlineBody)
                read += piece
            }
            #expect(read == content)
            #expect(try await queue.count("staged_body") == 0)
            try await queue.store.recordOutcomes([try queue.delivered(entry)]).forEach { try $0.get() }
            #expect(try await queue.count("body_chunk") == 0)
        }
    }

    @Test("A body that is given up is gone at once, in every shard, and one that is published stays")
    func discarding() async throws {
        try await QueueFixture.run { queue in
            for isPublished in [false, true] {
                var message = queue.message(to: (0..<4).map { "d\($0).test" as DomainName })
                var body = queue.writer.bodyWriter(for: message)
                try await body.write([UInt8](repeating: 1, count: 100_000))
                message.body = .staged(try await body.finish())
                let parts = try await queue.count("body_chunk")
                #expect(try await queue.count("staged_body") > 1)
                if isPublished { try await queue.writer.enqueue(message) }
                try await body.discard()
                #expect(try await queue.count("staged_body") == 0)
                #expect(try await queue.count("body_chunk") == (isPublished ? parts : 0))
                if !isPublished { #expect(await code { try await queue.writer.enqueue(message) } == .bodyNotStaged) }
            }
        }
    }

    @Test("A chunk whose COMMIT comes while the body is given up goes with it")
    func discardingMidChunk() async throws {
        try await QueueFixture.run { queue in
            var body = queue.writer.bodyWriter(for: queue.message())
            try await body.write([UInt8](repeating: 1, count: 100_000))
            let givenUp = body
            let nextChunk = """
                UPDATE relay.staged_body SET touched_at = clock_timestamp();
                INSERT INTO relay.body_chunk SELECT shard, message_id, 1, '' FROM relay.staged_body
                """
            try await queue.whileOpen(nextChunk) { chunk in
                async let discarded: Void = givenUp.discard()
                try await chunk.waitUntilItHoldsUp()
                try await chunk.commit()
                try await discarded
            }
            #expect(try await queue.count("staged_body") == 0)
            #expect(try await queue.count("body_chunk") == 0)
        }
    }

    @Test("Chunks that were never published are swept, and can then not be published")
    func orphans() async throws {
        try await QueueFixture.run { queue in
            var message = queue.message()
            var body = queue.writer.bodyWriter(for: message)
            try await body.write([UInt8](repeating: 1, count: 100_000))
            #expect(try await queue.store.sweepOrphans() == 0)
            #expect(try await queue.store.sweepOrphans(olderThan: .zero) == 1)
            #expect(try await queue.count("body_chunk") == 0)
            let late = await code { message.body = .staged(try await body.finish()) }
            #expect(late == .bodyNotStaged)
        }
    }
}
