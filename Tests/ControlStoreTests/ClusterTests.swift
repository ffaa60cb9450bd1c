import ClusterModel
import ControlStore
import LabDatabase
import PostgresDriver
import Testing

@Suite("The cluster", .timeLimit(.minutes(2)))
struct ClusterTests {
    @Test("control 10: what init makes is there as a whole: name, first state, authority, first credential, audit")
    func create() async throws {
        try await ControlFixture.run { control in
            let cluster = try #require(try await control.store.cluster())
            #expect(cluster.name.text == "mail-eu")
            #expect(cluster.stateVersion == 1)
            #expect(cluster.phase == .settled)
            #expect(cluster.keyIdentifier == ControlFixture.key)
            let authorities = try await control.store.authorities()
            #expect(authorities.map(\.isIssuing) == [true])
            #expect(authorities.map(\.sealedKey) == [ControlFixture.sealed("key of authority 1")])
            #expect(try await control.count("identity") == 1)
            let audit = try await control.store.audit()
            #expect(audit.map(\.change.action) == ["cluster.create"])
        }
    }

    @Test("control 10: init refuses to overwrite a cluster, by the same name and by another one")
    func exists() async throws {
        try await ControlFixture.run { control in
            let before = try await control.everything()
            for name in ["mail-eu", "mail-us"] {
                #expect(await failure { try await control.create(name) } == .exists)
                #expect(await failure { try await control.create(name, isDryRun: true) } == .exists)
            }
            #expect(try await control.everything() == before)
        }
    }

    @Test("control 10: of many inits at once one makes the cluster, and the others leave nothing")
    func together() async throws {
        try await ControlFixture.run(size: 8, isCreated: false) { control in
            let outcomes = await withTaskGroup { group in
                for number in 0..<20 {
                    group.addTask { await failure { try await control.create("mail-\(number)") } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == nil }.count == 1)
            #expect(outcomes.filter { $0 == .exists }.count == 19)
            for table in ["authority", "certificate", "audit"] {
                let count = try await control.count(table)
                #expect(count == 1, "\(table)")
            }
        }
    }

    @Test("control 10: a dry run of init makes nothing")
    func dryRun() async throws {
        try await ControlFixture.run(isCreated: false) { control in
            let before = try await control.everything()
            try await control.create(isDryRun: true)
            #expect(try await control.everything() == before)
            #expect(try await control.store.cluster() == nil)
        }
    }

    @Test("Before init nothing else works, and it says so")
    func notInitialised() async throws {
        try await ControlFixture.run(isCreated: false) { control in
            let cluster = try await control.store.cluster()
            #expect(cluster == nil)
            #expect(await failure { try await control.put(ControlFixture.domain("a.test"), "x") } == .notInitialised)
            #expect(await failure { try await control.token() } == .notInitialised)
            #expect(await failure { _ = try await control.store.stateVersion() } == .notInitialised)
            #expect(await failure { _ = try await control.store.load() } == .notInitialised)
            #expect(await failure { _ = try await control.store.changes(after: 0) } == .notInitialised)
            #expect(await failure { _ = try await control.store.revocations() } == .notInitialised)
        }
    }

    @Test("control 13: a lost last credential is made anew without a token, and ends that of the lost key")
    func recover() async throws {
        try await ControlFixture.run { control in
            let lost = try await control.store.revocations()
            #expect(lost.fingerprints.isEmpty)
            let fresh = try ControlFixture.certificate(.admin, "root", key: 7)
            try await control.store.recover(fresh, ControlFixture.change("cluster.recover", "admin/root"))
            #expect(try await control.store.certificate(sha256: fresh.sha256) == fresh)
            #expect(try await control.store.revocations().fingerprints.count == 1)
            #expect(try await control.store.recordRenewal(fresh) == .recorded)
            #expect(try await control.store.authorities().map(\.isIssuing) == [true])
        }
    }

    @Test(
        "control 13: recovery with a new authority trusts no other, erases the key of the old one, and ends a rotation")
    func newAuthority() async throws {
        try await ControlFixture.run { control in
            let step = ControlFixture.change("authority.rotate", "cluster/mail-eu")
            let second = ControlFixture.authority(2, isIssuing: false)
            #expect(try await control.store.step(from: .settled, to: .trustingBoth, adding: second, step))
            try await control.store.recover(
                try ControlFixture.certificate(.admin, "root", key: 7, by: 3), authority: ControlFixture.authority(3),
                key: "fedcba9876543210",
                ControlFixture.change("cluster.recover", "cluster/mail-eu"))
            let authorities = try await control.store.authorities()
            #expect(authorities.filter(\.isTrusted).map(\.sha256) == [ControlFixture.authority(3).sha256])
            #expect(authorities.filter { !$0.isTrusted }.map(\.sealedKey) == [[], []])
            let cluster = try #require(try await control.store.cluster())
            #expect(cluster.phase == .settled)
            #expect(cluster.keyIdentifier == "fedcba9876543210")
        }
    }
}
