import LabPeers
import LabSupport
import TLSEngine
import Testing

@Suite(.timeLimit(.minutes(3)))
struct LoadClientTests {
    @Test("Every message over STARTTLS is acknowledged once, and the sink saw exactly those ids")
    func everyMessageOnce() async throws {
        let sink = try await MailSink.start(certificates: PeerIdentity("mx.sink.test").store)
        var client = LoadClient(port: sink.port, tls: try TLSClientContext())
        client.connections = 8
        client.messagesPerConnection = 5
        let report = await client.run()
        #expect(report.failures == [])
        #expect(report.acknowledged.count == 40)
        #expect(report.latencies.count == 40)
        #expect(sink.messageIDs.count == 40)
        #expect(Set(report.acknowledged) == Set(sink.messageIDs.keys))
        #expect(sink.messageCount == 40)
        await sink.stop()
    }

    @Test("A message whose reply never came is in doubt, not acknowledged; the rest goes over a new connection")
    func inDoubt() async throws {
        let sink = try await MailSink.start([.on(.endOfData, connection: 1, .close)])
        var client = LoadClient(port: sink.port, tls: nil)
        client.connections = 1
        client.messagesPerConnection = 3
        let report = await client.run()
        #expect(report.inDoubt.count == 1)
        #expect(report.acknowledged.count == 2)
        #expect(Set(report.inDoubt).isDisjoint(with: report.acknowledged))
        await sink.stop()
    }

    @Test("A refused message is reported with its reply")
    func refused() async throws {
        let sink = try await MailSink.start([.on(.recipient(1), connection: 1, .reply("550 5.1.1 nobody"))])
        var client = LoadClient(port: sink.port, tls: nil)
        client.connections = 1
        client.messagesPerConnection = 2
        let report = await client.run()
        #expect(report.refused.map(\.reply) == ["550 5.1.1 nobody"])
        #expect(report.acknowledged.count == 1)
        await sink.stop()
    }

    @Test("Without a server it gives up when its patience ends, and says why")
    func noServer() async throws {
        var client = LoadClient(port: Ports.unused(), tls: nil)
        client.connections = 2
        client.patience = .milliseconds(200)
        let report = await client.run()
        #expect(report.acknowledged == [])
        #expect(!report.failures.isEmpty)
    }
}
