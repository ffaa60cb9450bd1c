import ClusterModel
import ControlStore
import Foundation
import LabDatabase
import LabSupport
import PostgresDriver
import Testing

/// The COMMIT is done, and its reply is lost on the way; or the connection is cut in front of it.
@Suite("Replies of the database that are lost", .timeLimit(.minutes(3)))
struct LostReplyTests {
    /// A cluster, and its store as a controller sees it whose connections go through a proxy.
    private func run(_ body: (ControlFixture, PostgresProxy, ControlStore) async throws -> Void) async throws {
        try await ControlFixture.run { control in
            try await PostgresProxy.with(try await .shared()) { proxy in
                var settings = ControlStore.poolSettings(
                    connectionString:
                        "host=\(proxy.directory.path) port=5432 dbname=\(control.database.name) user=\(ControlDatabase.login)"
                )
                settings.size = 2
                settings.acquireTimeout = .seconds(20)
                let pool = PostgresPool(settings, logger: .quiet)
                defer { pool.shutDown() }
                try await body(control, proxy, ControlStore(pool: pool))
            }
        }
    }

    @Test(
        "A write whose reply was lost, or that was cut off, is made once",
        arguments: [PostgresProxy.Fault.loseReply, .cutBeforeCommit], [1, 2])
    func write(_ fault: PostgresProxy.Fault, times: Int) async throws {
        try await self.run { control, proxy, store in
            let key = ControlFixture.domain("alpha.test")
            let write = ResourceWrite(key: key, content: [1], base: 0)
            proxy.plan(fault, of: "control.write", times: times)
            let outcome = try await store.write([write], [ControlFixture.change()])
            #expect(outcome == .written(version: 2))
            #expect(proxy.faultCount == times)
            #expect(try await control.store.stateVersion() == 2)
            #expect(try await control.count("audit") == 2)
        }
    }

    @Test(
        "control 11: an enrolment whose reply was lost is told accepted, once",
        arguments: [PostgresProxy.Fault.loseReply, .cutBeforeCommit])
    func redeem(_ fault: PostgresProxy.Fault) async throws {
        try await self.run { control, proxy, store in
            let secret = try await control.token()
            proxy.plan(fault, of: "control.redeem", times: 2)
            let certificate = try ControlFixture.certificate()
            #expect(try await store.redeem(secretSHA256: secret, certificate) == .accepted)
            #expect(proxy.faultCount == 2)
            #expect(try await control.count("token_use") == 1)
            // The node whose reply was lost as well asks again, and gets the same bytes.
            let again = try await store.redeem(secretSHA256: secret, try ControlFixture.certificate())
            #expect(again == .repeated(der: certificate.der))
        }
    }

    @Test("A token, a step, a revocation and the making of a cluster are done once")
    func others() async throws {
        try await self.run { control, proxy, store in
            let secret = try await control.token(1)
            let certificate = try ControlFixture.certificate()
            #expect(try await store.redeem(secretSHA256: secret, certificate) == .accepted)
            let audited = try await control.count("audit")
            proxy.plan(.loseReply, of: "control.begin_change", times: 2)
            let authority = ControlFixture.authority(2, isIssuing: false)
            #expect(try await store.step(from: .settled, to: .trustingBoth, adding: authority, ControlFixture.change()))
            proxy.plan(.loseReply, of: "control.begin_change", times: 2)
            #expect(try await store.revoke(certificate.identity, ControlFixture.change()))
            #expect(proxy.faultCount == 4)
            #expect(try await control.count("audit") == audited + 2)
            #expect(try await control.store.revocations().version == 1)
        }
    }

    @Test("control 10: init whose reply was lost has made the cluster, and is not refused by what it made itself")
    func create() async throws {
        try await ControlFixture.run(isCreated: false) { control in
            try await PostgresProxy.with(try await .shared()) { proxy in
                let pool = PostgresPool(
                    ControlStore.poolSettings(
                        connectionString:
                            "host=\(proxy.directory.path) port=5432 dbname=\(control.database.name) user=\(ControlDatabase.login)"
                    ),
                    logger: .quiet)
                defer { pool.shutDown() }
                proxy.plan(.loseReply, of: "control.create_cluster", times: 2)
                try await control.create(by: ControlStore(pool: pool))
                #expect(proxy.faultCount == 2)
                #expect(try await control.count("audit") == 1)
            }
        }
    }

    @Test("The lead that was taken with a lost reply is kept, under one epoch")
    func lead() async throws {
        try await self.run { control, proxy, store in
            proxy.plan(.loseReply, of: "control.leadership", times: 2)
            let term = try await store.lead("c1", incarnation: PostgresUUID(high: 1, low: 1), for: .seconds(30))
            #expect(term?.epoch == Epoch(rawValue: 1))
            #expect(try await control.store.leader()?.epoch == term?.epoch)
        }
    }

    @Test("A database that is away is told as such")
    func away() async throws {
        try await self.run { _, proxy, _ in
            proxy.refuse(true)
            proxy.cutAll()
            var settings = ControlStore.poolSettings(
                connectionString: "host=\(proxy.directory.path) port=5432 dbname=postgres user=\(ControlDatabase.login)"
            )
            settings.acquireTimeout = .milliseconds(200)
            let pool = PostgresPool(settings, logger: .quiet)
            defer { pool.shutDown() }
            let code = await failure { _ = try await ControlStore(pool: pool).cluster() }
            #expect(code == .unreachable)
        }
    }
}
