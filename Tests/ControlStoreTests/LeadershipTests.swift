import ClusterModel
import ControlStore
import LabDatabase
import LabSupport
import PostgresDriver
import Testing

@Suite("Leadership", .timeLimit(.minutes(2)))
struct LeadershipTests {
    /// Sessions that sleep in the middle of a transaction.
    private static let sleepers =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"

    private func run(_ number: UInt64) -> PostgresUUID { PostgresUUID(high: 7, low: number) }

    private func rotate(_ store: ControlStore, under term: LeaderTerm) async throws -> Bool {
        try await store.step(
            from: .settled, to: .trustingBoth, adding: ControlFixture.authority(2, isIssuing: false),
            ControlFixture.change("authority.rotate", "cluster/mail-eu"), under: term)
    }

    @Test("One leads, keeps its epoch by renewals, and others wait until its lease has ended or is given back")
    func lease() async throws {
        try await ControlFixture.run { control in
            let store = control.store
            #expect(try await store.leader() == nil)
            let first = try #require(try await store.lead("c1", incarnation: run(1), for: .seconds(30)))
            #expect(try await store.lead("c1", incarnation: run(1), for: .seconds(30)) == first)
            #expect(try await store.lead("c2", incarnation: run(2), for: .seconds(30)) == nil)
            // The same replica, started anew, is another one.
            #expect(try await store.lead("c1", incarnation: run(3), for: .seconds(30)) == nil)
            let leader = try #require(try await store.leader())
            #expect(leader.replica == "c1" && leader.epoch == first.epoch && !leader.isOver)

            try await store.resign(first)
            #expect(try await store.leader() == nil)
            let second = try #require(try await store.lead("c2", incarnation: run(2), for: .milliseconds(1)))
            #expect(second.epoch.rawValue == first.epoch.rawValue + 1)
            try await store.resign(first)
            #expect(try await store.leader()?.replica == "c2")
            try await Task.sleep(for: .milliseconds(5))
            #expect(try await store.leader()?.isOver == true)
            let third = try #require(try await store.lead("c1", incarnation: run(1), for: .seconds(30)))
            #expect(third.epoch.rawValue == second.epoch.rawValue + 1)
        }
    }

    @Test("A leader that has not renewed by a clock that nobody sets is replaced, if it still looks like that")
    func silent() async throws {
        try await ControlFixture.run { control in
            let store = control.store
            let first = try #require(try await store.lead("c1", incarnation: run(1), for: .seconds(3600)))
            let sighting = try #require(try await store.leader())
            #expect(try await store.lead("c1", incarnation: run(1), for: .seconds(3600)) == first)
            // It has renewed since.
            #expect(try await store.lead("c2", incarnation: run(2), for: .seconds(9), replacing: sighting) == nil)
            let later = try #require(try await store.leader())
            let second = try await store.lead("c2", incarnation: run(2), for: .seconds(9), replacing: later)
            #expect(second?.epoch.rawValue == first.epoch.rawValue + 1)
        }
    }

    @Test("Two replicas never hold the same epoch, whoever takes the lead how often")
    func epochs() async throws {
        try await ControlFixture.run(size: 8) { control in
            let found = try await withThrowingTaskGroup { group in
                for replica in UInt64(1)...8 {
                    group.addTask {
                        var own: Set<Epoch> = []
                        for _ in 0..<30 {
                            let term = try await control.store.lead(
                                "c\(replica)", incarnation: self.run(replica), for: .milliseconds(2))
                            if let term { own.insert(term.epoch) }
                        }
                        return own
                    }
                }
                return try await group.reduce(into: []) { $0 += Array($1) }
            }
            #expect(found.count > 3)
            #expect(Set(found).count == found.count)
        }
    }

    @Test("A step under an old epoch is refused, and leaves nothing")
    func oldEpoch() async throws {
        try await ControlFixture.run { control in
            let old = try #require(try await control.store.lead("c1", incarnation: run(1), for: .milliseconds(1)))
            try await Task.sleep(for: .milliseconds(5))
            let new = try #require(try await control.store.lead("c2", incarnation: run(2), for: .seconds(30)))
            let before = try await control.everything()
            #expect(try await self.rotate(control.store, under: old) == false)
            #expect(try await control.store.sweep(RetentionTerms(), under: old) == false)
            #expect(try await control.everything() == before)
            #expect(try await self.rotate(control.store, under: new))
        }
    }

    @Test("A takeover waits for the step that the former leader has begun, and the next one of it is refused")
    func underWay() async throws {
        try await ControlFixture.run { control in
            let old = try #require(try await control.store.lead("c1", incarnation: run(1), for: .milliseconds(1)))
            try await Task.sleep(for: .milliseconds(5))
            // A step of the former leader that has passed its fence, and goes on for a while.
            async let step: [QueryResult] = control.superuser.script(
                """
                BEGIN; SELECT control.fence(\(old.epoch.rawValue)); SELECT pg_sleep(0.3);
                UPDATE control.cluster SET key_identifier = 'of the former leader'; COMMIT
                """)
            try await control.superuser.waitUntil(Self.sleepers)
            let new = try await control.store.lead("c2", incarnation: run(2), for: .seconds(30))
            #expect(new != nil)
            // What had begun was done before the lead was taken.
            #expect(try await control.store.cluster()?.keyIdentifier == "of the former leader")
            _ = try await step
            #expect(try await self.rotate(control.store, under: old) == false)
        }
    }

    @Test(
        "A leader whose process dies in the middle of a step leaves nothing of it, and does not keep others from leading"
    )
    func killed() async throws {
        try await ControlFixture.run { control in
            let old = try #require(try await control.store.lead("c1", incarnation: run(1), for: .milliseconds(1)))
            let before = try await control.everything()
            let pool = control.database.pool(ControlStore.poolSettings, as: ControlDatabase.login)
            let dying = Task {
                try? await pool.script(
                    """
                    BEGIN; SELECT control.begin_change(gen_random_uuid()); SELECT control.fence(\(old.epoch.rawValue));
                    UPDATE control.cluster SET phase = 3; SELECT pg_sleep(60); COMMIT
                    """, timeout: .seconds(90))
            }
            try await control.superuser.waitUntil(Self.sleepers)
            // As the server notices that the client is gone.
            try await control.superuser.script(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE wait_event = 'PgSleep' AND datname = current_database() AND pid <> pg_backend_pid()
                """)
            _ = await dying.value
            pool.shutDown()
            #expect(try await control.everything() == before)
            let new = try #require(try await control.store.lead("c2", incarnation: run(2), for: .seconds(30)))
            #expect(new.epoch > old.epoch)
            #expect(try await self.rotate(control.store, under: old) == false)
            #expect(try await self.rotate(control.store, under: new))
        }
    }
}

extension PostgresPool {
    /// Waits, at most half a minute, until a count is positive.
    func waitUntil(_ sql: String) async throws {
        let isPositive = try await eventually(within: .seconds(30), every: .milliseconds(5)) {
            try await self.query(Statement(sql)).single().get(0, as: Int64.self) > 0
        }
        try #require(isPositive, "\(sql)")
    }
}
