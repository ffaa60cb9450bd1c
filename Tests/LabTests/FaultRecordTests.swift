import LabPeers
import LabRelay
import MailModel
import Testing

/// The proof by ids that the tests of faults rest on must be able to fail.
@Suite("The record of faults")
struct FaultRecordTests {
    private static let first = MessageID(high: 1, low: 1)
    private static let second = MessageID(high: 2, low: 2)

    private static func arrival(_ id: String, _ queueID: MessageID?) -> ScriptedArrival {
        ScriptedArrival(messageID: id, queueID: queueID, client: "relay.test", at: Timestamp(microseconds: 0))
    }

    private static func attempt(_ number: Int, of message: MessageID) -> UncertainAttempt {
        UncertainAttempt(message: message, domain: "bravo.test", attempt: number)
    }

    @Test("What was acknowledged and did not arrive is lost, by its id, however much else arrived")
    func lost() {
        var record = FaultRecord()
        record.acknowledge(["<a>", "<b>"])
        record.arrived([Self.arrival("<a>", Self.first), Self.arrival("<c>", Self.second)])
        #expect(record.verdict.acknowledged == 2)
        #expect(record.verdict.lost == ["<b>"])
        #expect(record.verdict.copies == 0)
    }

    @Test("A second copy is explained by an uncertain attempt of the same message, and by none of another")
    func explained() {
        var record = FaultRecord()
        record.arrived([Self.arrival("<a>", Self.first), Self.arrival("<a>", Self.first)])
        record.interrupted([Self.attempt(1, of: Self.second)])
        #expect(record.verdict.copies == 1)
        #expect(record.verdict.unexplained.count == 1)
        record.interrupted([Self.attempt(1, of: Self.first)])
        #expect(record.verdict.unexplained.isEmpty)
    }

    @Test("One uncertain attempt explains one copy, and is counted once")
    func oneCopyEach() {
        var record = FaultRecord()
        record.arrived(Array(repeating: Self.arrival("<a>", Self.first), count: 3))
        record.interrupted([Self.attempt(1, of: Self.first), Self.attempt(1, of: Self.first)])
        #expect(record.verdict.copies == 2)
        #expect(record.verdict.unexplained.count == 1)
    }

    @Test("A message that was queued twice is explained by no attempt")
    func queuedTwice() {
        var record = FaultRecord()
        record.arrived([Self.arrival("<a>", Self.first), Self.arrival("<a>", Self.second)])
        record.interrupted([Self.attempt(1, of: Self.first), Self.attempt(1, of: Self.second)])
        #expect(record.verdict.unexplained == ["<a>: queued 2 times"])
    }

    @Test("A sink reads the relay's id in the topmost Received, and leaves out what it refused")
    func arrivals() async throws {
        let refused = ScriptedRule.on(.endOfData, connection: 2, .reply("451 4.3.0 no"))
        let peer = try await ScriptedPeer.start([refused], keeping: .arrivals)
        let message = """
            Received: from client.test ([127.0.0.1])
            \tby relay.test with ESMTPS id \(Self.first);
            \tMon, 23 Nov 2026 20:00:00 +0000
            Received: by elsewhere.test with SMTP id \(Self.second); Mon, 23 Nov 2026 19:00:00 +0000
            Message-ID: <a@client.test>

            text

            """
        for _ in 0..<2 {
            _ = try await SMTPDialog.with(port: peer.port) { smtp in
                try await smtp.hello()
                return try await smtp.submit(from: "alice@alpha.test", to: ["bob@bravo.test"], message)
            }
        }
        #expect(peer.arrivals.map(\.messageID) == ["<a@client.test>"])
        #expect(peer.arrivals.first?.queueID == Self.first)
        await peer.stop()
    }
}
