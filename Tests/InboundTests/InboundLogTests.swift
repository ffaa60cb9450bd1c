import Admission
import LabSupport
import Logging
import MailModel
import QueueStore
import Synchronization
import TestLiterals
import Testing

@testable import Inbound
@testable import Telemetry

/// What the log says of who sent a message, and of what was refused.
@Suite("Inbound log", .timeLimit(.minutes(3)))
struct InboundLogTests {
    private static let stranger = IPAddress.v4(0xC000_0201)

    @Test(
        "An accepted message has one line: who sent it, by which rule, for whom; addresses only where wanted",
        arguments: [false, true])
    func accepted(hasAddresses: Bool) async throws {
        let log = RecordedLog()
        try await InboundClient.with(address: .v4(0x7F00_0001), logger: log.logger, logsAddresses: hasAddresses) {
            client in
            try await client.hello()
            try await client.send(
                "MAIL FROM:<alice@alpha.test>\r\nRCPT TO:<bob@bravo.test>\r\nRCPT TO:<carol@elsewhere.test>\r\nDATA\r\n"
            )
            _ = try await client.codes()
            try await client.send("Message-ID: <1@alpha.test>\r\n\r\nHello\r\n.\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            let message = try #require(client.store.stored.withLock { $0.first })
            let lines = log.lines.filter { $0.metadata["event"] == "reception" }
            let line = try #require(lines.first)
            #expect(lines.count == 1)
            #expect(line.metadata["client"] == "127.0.0.1" && line.metadata["helo"] == "client.test")
            #expect(line.metadata["admitted_by"] == "network 127.0.0.0/8" && line.metadata["user"] == nil)
            #expect(line.metadata["sender_domain"] == "alpha.test")
            #expect(line.metadata["rcpt_domains"] == #"["bravo.test", "elsewhere.test"]"#)
            #expect(line.metadata["rcpt_domain"] == nil && line.metadata["rcpt_count"] == "2")
            #expect(line.metadata["message_id_field"] == "<1@alpha.test>")
            #expect(line.metadata["message_id"] == "\(message.id)" && line.metadata["size"] == "\(message.size)")
            #expect(line.metadata["sender"] == (hasAddresses ? "alice@alpha.test" : nil))
            #expect(line.metadata["rcpt"] == (hasAddresses ? #"["bob@bravo.test", "carol@elsewhere.test"]"# : nil))
            #expect(message.reception.admittedBy == "network 127.0.0.0/8")
            #expect(message.reception.client == "127.0.0.1" && message.reception.hello == "client.test")
        }
    }

    @Test("A refused recipient, command and message have a line each, with all that is known of whom it concerns")
    func refused() async throws {
        let log = RecordedLog()
        try await InboundClient.with(address: Self.stranger, logger: log.logger) { client in
            try await client.hello()
            try await client.send("NONSENSE\r\nMAIL FROM:<alice@alpha.test>\r\nRCPT TO:<x@elsewhere.test>\r\n")
            #expect(try await client.codes() == ["500", "250", "550"])
            try await client.send("RCPT TO:<bob@bravo.test>\r\nDATA\r\n")
            #expect(try await client.codes() == ["250", "354"])
            try await client.send(String(repeating: "Received: x\r\n", count: 101) + "\r\n.\r\n")
            #expect(try await client.codes() == ["554"])
        }
        let lines = log.lines.filter { $0.metadata["event"] == "rejection" }
        #expect(lines.map { $0.metadata["code"] } == ["500", "550", "554"])
        #expect(lines.map { $0.metadata["client"] } == ["192.0.2.1", "192.0.2.1", "192.0.2.1"])
        #expect(lines.map { $0.metadata["sender_domain"] } == [nil, "alpha.test", "alpha.test"])
        #expect(lines.map { $0.metadata["rcpt_domain"] } == [nil, "elsewhere.test", nil])
        #expect(lines.map { $0.metadata["helo"] } == ["client.test", "client.test", "client.test"])
        #expect(lines.map { $0.metadata["admitted_by"] }.allSatisfy { $0 == "accepted-domain" })
        #expect(lines[1].metadata["reason"] == "relay_denied" && lines[1].metadata["enhanced"] == "5.7.1")
        #expect(lines[1].metadata["rcpt"] == nil)
    }

    @Test("Of one client ten refusals a minute have a line; a metric and the next minute's first line count the others")
    func rate() throws {
        let (recorded, metrics) = (RecordedLog(), testMetrics())
        let log = InboundLog(recorded.logger, metrics: metrics)
        let start = MonotonicInstant(nanoseconds: 1)
        func refuse(at time: Duration) {
            log.refused(
                InboundLog.Refused(client: ClientIdentity(Self.stranger)), "syntax", SMTPReply(500),
                at: start + time)
        }
        for _ in 0..<25 { refuse(at: .zero) }
        #expect(recorded.lines.count == 10 && metrics.smtpdRejectsUnlogged[NoLabels()].value == 15)
        refuse(at: .seconds(60))
        let summary = try #require(recorded.lines.dropFirst(10).first)
        #expect(summary.metadata["count"] == "15" && summary.metadata["client"] == nil)
        #expect(recorded.lines.count == 12)
    }
}
