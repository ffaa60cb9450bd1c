import Foundation
import LabDatabase
import PostgresDriver
import Testing

/// Connections that break at chosen moments of a transaction.
@Suite("Connections cut around the COMMIT (hostile-input 30, 31)", .timeLimit(.minutes(3)))
struct ProxyTests {
    /// A table of this test's own, and a pool whose connections go through a proxy.
    private func run(
        _ change: (inout PoolSettings) -> Void = { _ in },
        _ body: (PostgresProxy, PostgresPool, String) async throws -> Void
    ) async throws {
        let server = try await PrivatePostgres.shared()
        let table = "proxied_\(UInt64.random(in: .min ... .max))"
        try await server.command("CREATE TABLE \(table) (number int4)")
        try await PostgresProxy.with(server) { proxy in
            let pool = makePool(server) {
                $0.connectionString = "host=\(proxy.directory.path) port=5432 dbname=postgres user=postgres"
                $0.acquireTimeout = .seconds(20)
                change(&$0)
            }
            defer { pool.shutDown() }
            _ = try await pool.backend()
            try await body(proxy, pool, table)
        }
        try await server.command("DROP TABLE \(table)")
    }

    private func count(_ table: String) async throws -> Int64? {
        try await PrivatePostgres.shared().command("SELECT count(*) FROM \(table)")?.get(0)
    }

    @Test("hostile-input 31: the reply to COMMIT is lost: the commit is ambiguous, and was done")
    func replyLost() async throws {
        try await self.run { proxy, pool, table in
            proxy.plan(.loseReply, of: "INSERT INTO \(table)")
            let error = await failure { try await pool.query(Statement("INSERT INTO \(table) VALUES (1)")) }
            #expect(error?.code == .ambiguousCommit)
            #expect(try await self.count(table) == 1)
            try await pool.query(Statement("INSERT INTO \(table) VALUES (2)"))
            #expect(try await self.count(table) == 2)
            #expect(proxy.faultCount == 1)
        }
    }

    @Test("hostile-input 30: a connection cut in front of the COMMIT is ambiguous to us, and nothing was done")
    func cutBeforeCommit() async throws {
        try await self.run { proxy, pool, table in
            proxy.plan(.cutBeforeCommit, of: "INSERT INTO \(table)", times: 2)
            for _ in 0..<2 {
                let error = await failure { try await pool.query(Statement("INSERT INTO \(table) VALUES (1)")) }
                #expect(error?.code == .ambiguousCommit)
            }
            #expect(try await self.count(table) == 0)
            try await pool.query(Statement("INSERT INTO \(table) VALUES (2)"))
            #expect(try await self.count(table) == 1)
        }
    }

    @Test("All connections cut, and new ones refused for a while: the pool is back by itself")
    func cutAll() async throws {
        try await self.run { proxy, pool, _ in
            proxy.refuse(true)
            proxy.cutAll()
            try await pool.until { $0.connecting == 1 }
            async let waiting = pool.backend()
            try await pool.until { $0.errors[.cannotConnect, default: 0] > 0 }
            proxy.refuse(false)
            _ = try await waiting
        }
    }

    @Test("hostile-input 35: a server that falls silent costs a caller its deadline, not for ever")
    func stalled() async throws {
        try await self.run {
            $0.statementTimeout = .seconds(1)
        } _: { proxy, pool, _ in
            proxy.stall(true)
            let start = ContinuousClock.now
            let error = await failure { _ = try await pool.backend() }
            #expect(error?.code == .ambiguousCommit)
            #expect(ContinuousClock.now - start < .seconds(30))
            proxy.stall(false)
            _ = try await pool.backend()
        }
    }
}
