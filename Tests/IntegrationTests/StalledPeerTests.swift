import Foundation
import LabPeers
import LabRelay
import LabSupport
import PostgresDriver
import QueueStore
import Testing

/// No transaction and no database connection waits for a peer. With a single connection to the database, one that was
/// held would keep all others from the queue. Nor is anything kept of a body that has no end.
@Suite("Peers that stall or leave in the midst of a message", .timeLimit(.minutes(3)))
struct StalledPeerTests {
    private static let content =
        "Subject: large\r\nMessage-ID: <\(UUID().uuidString)@client.test>\r\n\r\n"
        + String(repeating: String(repeating: "relay body ", count: 7) + "\r\n", count: 100_000)

    private static var options: LabRelayOptions {
        var options = LabRelayOptions()
        options.settings = ["database.pool-size": "1", "database.acquire-timeout": "4s"]
        return options
    }

    @Test("While a client stalls with half of a body stored, others' mail is taken and delivered")
    func stalledClient() async throws {
        try await LabRelay.with([.dane("bravo.test")], Self.options) { lab in
            let sink = lab.peer("bravo.test").server
            try await SMTPDialog.with(port: lab.smtpPort, within: .seconds(90)) { slow in
                try await slow.hello()
                for line in ["MAIL FROM:<alice@alpha.test>", "RCPT TO:<slow@bravo.test>", "DATA"] {
                    try await slow.say(line)
                }
                try await slow.send(Self.content)
                #expect(try await lab.storesBody(), "nothing of the body was stored")

                for count in 1...5 {
                    try await lab.submit(to: "fast@bravo.test")
                    #expect(await sink.wait(within: .seconds(30)) { $0.messageCount == count })
                }
                try await slow.send(".\r\n")
                let reply = try await slow.readReply()
                #expect(reply.code == 250, "\(reply)")
            }
            #expect(await sink.wait(within: .seconds(30)) { $0.messageCount == 6 })
        }
    }

    @Test("Of a body whose client leaves, or that is refused, nothing stays in the database")
    func unfinishedBodies() async throws {
        try await LabRelay.with([.dane("bravo.test")], Self.options) { lab in
            for isRefused in [false, true] {
                try await SMTPDialog.with(port: lab.smtpPort, within: .seconds(90)) { client in
                    try await client.hello()
                    for line in ["MAIL FROM:<alice@alpha.test>", "RCPT TO:<bob@bravo.test>", "DATA"] {
                        try await client.say(line)
                    }
                    if isRefused { try await client.send(String(repeating: "Received: a loop\r\n", count: 101)) }
                    try await client.send(Self.content)
                    #expect(try await lab.storesBody(), "nothing of the body was stored")
                    guard isRefused else { return }
                    try await client.send(".\r\n")
                    let reply = try await client.readReply()
                    #expect(reply.code == 554, "\(reply)")
                }
                #expect(try await lab.storesNothing(), "the body was left behind")
            }
        }
    }

    @Test("Of a body whose client is cut off by the end of a drain nothing stays in the database")
    func drainedClient() async throws {
        var options = Self.options
        options.settings["drain.delay"] = "0s"
        options.settings["drain.timeout"] = "1s"
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            try await SMTPDialog.with(port: lab.smtpPort, within: .seconds(90)) { slow in
                try await slow.hello()
                for line in ["MAIL FROM:<alice@alpha.test>", "RCPT TO:<slow@bravo.test>", "DATA"] {
                    try await slow.say(line)
                }
                try await slow.send(Self.content)
                // All that has come, so that no part is on its way when the connection ends.
                #expect(try await lab.storesBody(parts: Self.content.utf8.count >> 16), "the body was not stored")
                await lab.relayd.stop()
            }
            #expect(try await lab.storesNothing(), "the body was left behind")
        }
    }

    @Test("While a receiving host stalls in the midst of a body, others' mail is taken and delivered")
    func stalledHost() async throws {
        let stall = ScriptedRule.on(.data, .proceed, .stall(.seconds(100)))
        try await LabRelay.with([.dane("slow.test", rules: [stall]), .dane("fast.test")], Self.options) { lab in
            let (slow, fast) = (lab.peer("slow.test").server, lab.peer("fast.test").server)
            let id = try await lab.submit(to: "bob@slow.test", message: Self.content)
            #expect(await slow.wait { $0.commands.contains("DATA") })

            for count in 1...5 {
                try await lab.submit(to: "bob@fast.test")
                #expect(await fast.wait(within: .seconds(30)) { $0.messageCount == count })
            }
            #expect(slow.messageCount == 0)
            slow.endStalls()
            try await lab.wait(for: id) { $0.contains { $0.kind == .send } }
            #expect(slow.messageCount == 1)
        }
    }
}

extension LabRelay {
    /// Waits until parts of a body are stored whose message is not queued yet.
    fileprivate func storesBody(parts: Int = 4) async throws -> Bool {
        try await self.waits(
            for: """
                SELECT count(*) >= \(parts) FROM relay.body_chunk JOIN relay.staged_body USING (shard, message_id)
                """)
    }

    /// Waits until there is no part of a body.
    fileprivate func storesNothing() async throws -> Bool {
        try await self.waits(
            for: "SELECT NOT EXISTS (SELECT FROM relay.body_chunk) AND NOT EXISTS (SELECT FROM relay.staged_body)")
    }

    private func waits(for condition: String) async throws -> Bool {
        try await eventually(within: .seconds(30), every: .milliseconds(10)) {
            try await self.store.pool.query(Statement(condition)).single().get(0, as: Bool.self)
        }
    }
}
