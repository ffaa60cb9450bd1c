import ArgumentParser
import Foundation
import LabPeers
import LabRelay
import LabSupport

struct Idle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure what idle and slow TLS clients cost, and what an honest client notices of them.",
        discussion: """
            Opens the idle connections and those that send one byte of a command every 9 s, and meanwhile sends whole
            messages, each on a connection of its own. Relay and clients are processes of their own: each needs a file
            descriptor for every connection.
            """)

    @Option(name: .long, help: "Connections that do nothing.")
    var connections = 10_000

    @Option(name: .long, help: "Connections that send one byte every 9 s.")
    var slow = 2000

    @Option(name: .long, help: "Messages of the honest client.")
    var messages = 500

    @Option(name: .long, help: "A setting of relayd as key=value in YAML; may be given again.")
    var set: [String] = []

    func validate() throws {
        guard self.connections >= 0, self.slow >= 0, self.connections + self.slow > 0, self.messages > 0 else {
            throw ValidationError("Numbers must be above 0.")
        }
    }

    func run() async throws {
        var options = LabRelayOptions()
        let total = self.connections + self.slow
        options.settings = [
            "smtp.max-connections": "\(total + 500)", "smtp.max-connections-per-address": "100000",
            "smtp.max-connection-rate": "0",
        ].merging(Dictionary(self.set.map(EndToEnd.split)) { $1 }) { $1 }
        let report = try await LabRelay.with([.dane(Bench.domain)], options) { try await self.measure($0) }
        print(report)
    }

    private func measure(_ lab: LabRelay) async throws -> String {
        guard let relayd = lab.relayd.processIdentifier else { throw LabFailure("relayd does not run") }
        // Everything that is made once has been made.
        _ = try await self.visits(20, lab)
        let alone = try await self.visits(self.messages, lab)
        let memory = try ProcessMemory.resident(of: relayd)
        let descriptors = try ProcessMemory.descriptors(of: relayd)

        let start = ContinuousClock.now
        let plan = IdleFleet.Plan(port: lab.smtpPort, idle: self.connections, slow: self.slow)
        let fleet = try await IdleFleet.open(plan)
        Terminal.tell("\(fleet.count) connections after \(ContinuousClock.now - start)")
        try await Task.sleep(for: .seconds(12))
        let memoryWithFleet = try ProcessMemory.resident(of: relayd)
        let beside = try await self.visits(self.messages, lab)
        let stillOpen = fleet.count
        await fleet.close()
        let left = try await self.descriptorsLeft(relayd, descriptors)
        return """
            connections                 \(stillOpen) of \(self.connections + self.slow) open at the end
            memory per connection       \((memoryWithFleet - memory) / 1024 / (self.connections + self.slow)) KiB \
            (\(memory >> 20) MiB without, \(memoryWithFleet >> 20) MiB with them)
            whole message, alone        p50 \(alone.atQuantile(0.5)) ms, p99 \(alone.atQuantile(0.99)) ms
            whole message, beside them  p50 \(beside.atQuantile(0.5)) ms, p99 \(beside.atQuantile(0.99)) ms
            descriptors left            \(max(0, left))
            """
    }

    /// Messages one after the other, each on a connection of its own, from the first packet to the last.
    private func visits(_ count: Int, _ lab: LabRelay) async throws -> [Duration] {
        var times: [Duration] = []
        for _ in 0..<count {
            var client = LoadClient(port: lab.smtpPort, tls: try Bench.clientTLS())
            client.connections = 1
            client.messagesPerConnection = 1
            client.recipient = { _ in "sink@\(Bench.domain)" }
            let report = await client.run()
            guard report.acknowledged.count == 1 else {
                throw LabFailure("not taken: \(report.refused.first?.reply ?? report.failures.first ?? "")")
            }
            times.append(report.elapsed)
        }
        return times
    }

    /// Descriptors beyond those from before, once deliveries and last words have had their time.
    private func descriptorsLeft(_ relayd: Int32, _ before: Int) async throws -> Int {
        var left = 0
        for _ in 0..<30 {
            left = try ProcessMemory.descriptors(of: relayd) - before
            if left <= 0 { break }
            try await Task.sleep(for: .seconds(1))
        }
        return left
    }
}

extension [Duration] {
    /// Milliseconds that so large a part (0 to 1) did not exceed.
    fileprivate func atQuantile(_ quantile: Double) -> Int {
        let rank = Swift.min(Swift.max(Int((Double(self.count) * quantile).rounded(.up)) - 1, 0), self.count - 1)
        return Int(self.sorted()[rank] / .milliseconds(1))
    }
}
