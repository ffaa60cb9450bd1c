import LabDatabase
import LabPeers
import LabRelay
import PostgresDriver
import QueueStore
import Testing

@Suite("A node behind PgBouncer", .timeLimit(.minutes(3)))
struct PoolerTests {
    @Test("In session mode a node takes, stores and delivers mail, on a server whose default would lose commits")
    func session() async throws {
        var options = LabRelayOptions()
        options.startsRelayd = false
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            _ = try await lab.store.pool.script("ALTER ROLE relayd SET synchronous_commit = off")
            let pooler = try await PgBouncer.start(before: lab.postgres, mode: .session, users: ["relayd"])
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(try await self.deliver(lab, pooler))
            } catch {
                outcome = .failure(error)
            }
            await pooler.stop()
            try outcome.get()
        }
    }

    private func deliver(_ lab: LabRelay, _ pooler: PgBouncer) async throws {
        let connection = pooler.connectionString(database: "relay", user: "relayd")
        let node = try lab.addNode("pooled.test", settings: ["database.connection": "'\(connection)'"])
        try await node.relayd.start()
        let content = LabRelay.message(from: "alice@alpha.test", to: ["bob@bravo.test"])
        let reply = try await SMTPDialog.with(port: node.smtpPort) { smtp in
            try await smtp.hello()
            try await smtp.startTLS()
            return try await smtp.submit(from: "alice@alpha.test", to: ["bob@bravo.test"], content)
        }
        let id = try #require(reply.messageID, "\(reply)")
        #expect(try await lab.firstOutcome(of: id).kind == .send)
        await node.relayd.stop()
        #expect(node.relayd.terminationStatus == 0)
    }
}
