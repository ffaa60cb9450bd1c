import ArgumentParser
import LabPeers
import LabRelay
import LabSupport

struct Bodies: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the memory that many large messages at once take on their way in and out.")

    @Option(name: .long, help: "Messages at once.")
    var count = 20

    @Option(name: .long, help: "The size of a message in MiB.")
    var size = 50

    @Flag(name: .long, help: "Send them in clear.")
    var cleartext = false

    func run() async throws {
        // The relay adds a field of its own, so at the usual limits of relay and sink 50 MiB do not pass.
        let extensions = ["PIPELINING", "SIZE 67108864", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS"]
        var domain = LabDomain.dane(Bench.domain, rules: [.offer(extensions)])
        domain.retention = .messageIDs
        var options = LabRelayOptions()
        options.settings = [
            "database.acquire-timeout": "30s", "database.statement-timeout": "30s", "queue.lease-ttl": "60s",
            "smtp.max-message-size": "64MiB",
        ]
        let report = try await LabRelay.with([domain], options) { try await self.measure($0) }
        print(report)
    }

    private func measure(_ lab: LabRelay) async throws -> String {
        guard let relayd = lab.relayd.processIdentifier else { throw LabFailure("relayd does not run") }
        let sink = lab.peer(Bench.domain).server
        // What is made once, and connections that stay open, are there before the measurement.
        try await BodyLoad(count: self.count, size: 10_240, isEncrypted: !self.cleartext)
            .send(to: "sink@\(Bench.domain)", port: lab.smtpPort)
        guard await sink.wait(within: .seconds(60), until: { $0.messageCount >= self.count }) else {
            throw LabFailure("small messages do not arrive")
        }
        let before = try ProcessMemory.resident(of: relayd)
        let load = BodyLoad(count: self.count, size: self.size << 20, isEncrypted: !self.cleartext)
        let start = ContinuousClock.now
        let (inTime, peak) = try await ProcessMemory.peak(of: relayd) {
            try await load.send(to: "sink@\(Bench.domain)", port: lab.smtpPort)
            let inTime = ContinuousClock.now - start
            guard await sink.wait(within: .seconds(600), until: { $0.messageCount >= 2 * self.count }) else {
                throw LabFailure("of \(self.count) messages \(sink.messageCount - self.count) arrived")
            }
            return inTime
        }
        let after = try ProcessMemory.resident(of: relayd)
        return """
            messages         \(self.count) of \(self.size) MiB, \(self.cleartext ? "in clear" : "over TLS")
            taken after      \(inTime)
            delivered after  \(ContinuousClock.now - start)
            memory           \(before >> 20) MiB before, \(peak >> 20) MiB at most, \(after >> 20) MiB after
            growth           \(Double(peak - before) / 1_048_576) MiB
            """
    }
}
