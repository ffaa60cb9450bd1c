import Foundation
import LabPeers
import LabSupport
import TLSEngine

/// One load, and the sink at which its messages are to arrive.
struct Bench {
    /// The domain of all recipients.
    static let domain = "bravo.test"
    /// How long a round's messages may take to arrive, after the last was acknowledged.
    private static let patience = Duration.seconds(120)
    /// How long a system may go on working after the last delivery at its round's cost.
    private static let settling = Duration.seconds(1)

    let load: LoadOptions
    let sink: ScriptedPeer

    /// A client takes any certificate; what is measured is the relay.
    static func clientTLS() throws -> TLSClientContext { try TLSClientContext() }

    /// Sends one load through a system and waits until it has arrived.
    func round(_ system: MeasuredSystem) async throws -> RoundResult {
        var client = LoadClient(port: system.port, tls: try Self.clientTLS())
        client.connections = self.load.connections
        client.messagesPerConnection = self.load.messages
        client.messageSize = self.load.size
        client.patience = .seconds(60)
        client.recipient = { _ in "sink@\(Self.domain)" }

        let before = self.sink.messageCount
        let costs = try system.parts.map { try ProcessTree.processorTime(of: $0.process) }
        let start = ContinuousClock.now
        async let sent = client.run()
        let delivered = await self.arrival(of: before + self.load.total, since: start, patience: Self.patience)
        let report = await sent
        try await Task.sleep(for: Self.settling)

        guard report.acknowledged.count == self.load.total, let delivered else {
            throw LabFailure(
                """
                \(system.name): of \(self.load.total) messages \(report.acknowledged.count) were acknowledged and \
                \(self.sink.messageCount - before) arrived; \(report.refused.first?.reply ?? "") \
                \(report.failures.first ?? "")
                """)
        }
        let ids = self.sink.messageIDs
        return RoundResult(
            acknowledged: report.elapsed, delivered: delivered, latencies: report.latencies,
            lost: report.acknowledged.count { ids[$0] == nil },
            duplicates: report.acknowledged.reduce(0) { $0 + (ids[$1] ?? 1) - 1 },
            costs: try zip(system.parts, costs).map { part, cost in
                PartCost(
                    part: part.name,
                    processorTime: try ProcessTree.processorTime(of: part.process) - cost,
                    memory: ProcessTree.memory(of: part.process))
            })
    }

    /// The time until the sink had so many messages; `nil` when it does not get them.
    private func arrival(
        of count: Int, since start: ContinuousClock.Instant, patience: Duration
    ) async -> Duration? {
        guard await self.sink.wait(within: patience, until: { $0.messageCount >= count }) else { return nil }
        return ContinuousClock.now - start
    }
}
