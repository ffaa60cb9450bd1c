import ClusterModel
import ControlStore
import LabDatabase
import MailModel
import PostgresDriver
import Testing

@Suite("The audit", .timeLimit(.minutes(2)))
struct AuditTests {
    /// Everything that people do to a cluster, by its name.
    private func changes(_ control: ControlFixture) throws -> [(String, (ControlChange) async throws -> Void)] {
        let store = control.store
        let node = try ControlFixture.certificate().identity
        return [
            (
                "token",
                { change in
                    let token = TokenRow(
                        secretSHA256: ControlFixture.digest(1), pattern: try #require(NamePattern("*")), role: .node,
                        uses: 1,
                        expiresAt: .present + .seconds(60), createdBy: "root")
                    try await store.add(token, change)
                }
            ),
            (
                "write",
                { change in
                    let write = ResourceWrite(key: ControlFixture.domain("alpha.test"), content: [1], base: 0)
                    _ = try await store.write([write], [change])
                }
            ),
            (
                "step",
                { change in
                    let authority = ControlFixture.authority(2, isIssuing: false)
                    _ = try await store.step(from: .settled, to: .trustingBoth, adding: authority, change)
                }
            ),
            ("revoke", { change in _ = try await store.revoke(node, change) }),
            ("key", { change in _ = try await store.setKey("new", replacing: ControlFixture.key, change) }),
            (
                "recover",
                { change in try await store.recover(try ControlFixture.certificate(.admin, "root", key: 4), change) }
            ),
            ("record", { change in try await store.record(change) }),
        ]
    }

    private func withNode(_ body: (ControlFixture) async throws -> Void) async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token()
            #expect(try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate()) == .accepted)
            try await body(control)
        }
    }

    @Test("Every change has its row: who, what, before, after and why")
    func rows() async throws {
        try await self.withNode { control in
            for (name, change) in try self.changes(control) {
                let told = ControlFixture.change(
                    "test.\(name)", "object/\(name)", before: #"{"a":1}"#, after: #"{"a":"é\u0000"}"#,
                    reason: "because\0 it's so")
                try await change(told)
                let row = try #require(try await control.store.audit(limit: 1).first)
                #expect(row.change.action == "test.\(name)")
                #expect(row.change.actor == told.actor && row.change.object == told.object)
                #expect(row.change.before == told.before && row.change.after == told.after)
                #expect(row.change.reason == "because\u{FFFD} it's so")
                #expect(row.at > .present + .seconds(-60))
                #expect((row.stateVersion != nil) == (name == "write"))
            }
        }
    }

    @Test("A dry run of every change works, and changes nothing, not even the audit")
    func dryRuns() async throws {
        try await self.withNode { control in
            let before = try await control.everything()
            for (name, change) in try self.changes(control) {
                try await change(ControlFixture.change("test.\(name)", isDryRun: true))
                #expect(try await control.everything() == before, "\(name)")
            }
        }
    }

    @Test("A change whose row of the audit cannot be stored is not made")
    func together() async throws {
        try await self.withNode { control in
            try await control.superuser.script(
                "ALTER TABLE control.audit ADD CONSTRAINT refused CHECK (action NOT LIKE 'refused.%') NOT VALID")
            let before = try await control.everything()
            for (name, change) in try self.changes(control) {
                #expect(
                    await failure { try await change(ControlFixture.change("refused.\(name)")) } == .other, "\(name)")
                #expect(try await control.everything() == before, "\(name)")
            }
        }
    }

    @Test("A disk that is full, or any other failure in the middle, leaves nothing of a change")
    func failures() async throws {
        try await self.withNode { control in
            // Fails after all else was done.
            try await control.superuser.script(
                """
                CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $f$
                    BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $f$;
                CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON control.audit DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION public.fail()
                """)
            let before = try await control.everything()
            for (name, change) in try self.changes(control) {
                #expect(await failure { try await change(ControlFixture.change("test.\(name)")) } == .busy, "\(name)")
            }
            let (secret, other) = (
                ControlFixture.digest(3_000_001), try ControlFixture.certificate(.node, "mx2.example.org", key: 2)
            )
            #expect(try await control.store.redeem(secretSHA256: secret, other) == .usedUp)
            #expect(try await control.everything() == before)
        }
    }

    @Test("It is read in pages, the latest first, of all or of one object")
    func pages() async throws {
        try await ControlFixture.run { control in
            for number in 0..<25 {
                try await control.store.record(ControlFixture.change("n.\(number)", "object/\(number % 2)"))
            }
            var actions: [String] = []
            var last: Int64?
            while true {
                let page = try await control.store.audit(before: last, limit: 10)
                actions += page.map(\.change.action)
                last = page.last?.id
                if page.count < 10 { break }
            }
            #expect(actions == (0..<25).reversed().map { "n.\($0)" } + ["cluster.create"])
            let even = try await control.store.audit(limit: 100, object: "object/0")
            #expect(even.map(\.change.action) == stride(from: 24, through: 0, by: -2).map { "n.\($0)" })
            #expect(try await control.store.audit(object: "object/' OR true --") == [])
            #expect(try await control.store.audit(limit: 1_000_000).count == 26)
        }
    }

    @Test("No more than one row beyond a page is given, whatever is asked for")
    func most() async throws {
        try await ControlFixture.run { control in
            try await control.superuser.script(
                """
                INSERT INTO control.audit (request, actor, action, object, reason)
                SELECT gen_random_uuid(), 'a', 'b', 'c', '' FROM generate_series(1, 1500)
                """)
            for (limit, count) in [(Int.max, 1001), (1001, 1001), (1000, 1000), (0, 0), (-1, 0)] {
                let found = try await control.store.audit(limit: limit).count
                #expect(found == count)
            }
        }
    }
}
