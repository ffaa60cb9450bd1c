import ClusterModel
import ControlStore
import LabDatabase
import PostgresDriver
import Testing

/// A large cluster costs what a small one does. What is compared is work, in pages touched.
@Suite("The cluster at size", .timeLimit(.minutes(3)))
struct SizeTests {
    /// A store of one connection, whose pages are counted.
    private func counting(
        _ control: ControlFixture,
        _ body: (ControlStore, (_ work: () async throws -> Void) async throws -> Int64) async throws -> Void
    ) async throws {
        try await control.superuser.script("ALTER TABLE control.resource SET (autovacuum_enabled = off)")
        try await control.withReplica(size: 1) { store in
            func touched() async throws -> Int64 {
                // The only connection hands in its counts at the end of this statement, and reads them with the next.
                try await store.pool.query(Statement("SELECT pg_stat_force_next_flush()"))
                return try await store.pool.query(
                    Statement(
                        """
                        SELECT sum(coalesce(heap_blks_hit, 0) + coalesce(heap_blks_read, 0) + coalesce(idx_blks_hit, 0)
                            + coalesce(idx_blks_read, 0))::int8 FROM pg_statio_all_tables WHERE schemaname = 'control'
                        """)
                ).single().get(0)
            }
            try await body(store) { work in
                let before = try await touched()
                try await work()
                return try await touched() - before
            }
        }
    }

    /// So many resources of another type than tests write, all of them older than what tests write.
    private func fill(_ control: ControlFixture, _ count: Int, analyze: Bool) async throws {
        try await control.superuser.script(
            """
            INSERT INTO control.resource (type, name, version, content)
                SELECT 3, 'u' || i, 1, convert_to(repeat('x', 300), 'UTF8') FROM generate_series(1, \(count)) AS i;
            \(analyze ? "ANALYZE control.resource" : "")
            """)
    }

    @Test(
        "A write, and the reading of what it changed, cost the same beside 20,000 resources as beside none",
        arguments: [true, false])
    func changes(analyze: Bool) async throws {
        try await ControlFixture.run { control in
            try await self.counting(control) { store, pages in
                let key = ControlFixture.domain("alpha.test")
                /// More often than a session makes a plan of its own for a statement.
                func work(_ round: Int) async throws {
                    for step in 0..<10 {
                        let version = try await store.stateVersion()
                        let write = ResourceWrite(key: key, content: Array("\(round) \(step)".utf8), base: nil)
                        _ = try await store.write([write], [ControlFixture.change()])
                        #expect(try await store.changes(after: version)?.resources.count == 1)
                    }
                }
                let few = try await pages { try await work(0) }
                try await self.fill(control, 20_000, analyze: analyze)
                let many = try await pages { try await work(1) }
                // Indexes are a page or two deeper.
                #expect(many <= few + 200, "\(few) pages, then \(many)")
                #expect(try await store.load().resources.count == 20_001)
            }
        }
    }

    @Test("To ask for the state's version touches a few pages, whatever the cluster has")
    func polling() async throws {
        try await ControlFixture.run { control in
            try await self.counting(control) { store, pages in
                try await self.fill(control, 20_000, analyze: true)
                let touched = try await pages { for _ in 0..<10 { _ = try await store.cluster() } }
                #expect(touched <= 50, "\(touched) pages")
            }
        }
    }
}
