import LabPeers
import LabRelay
import LabSupport
import Testing

extension FaultLoad {
    /// Waits for the end of all deliveries, expects that nothing is lost and every second copy explained, and publishes the row.
    @discardableResult
    func prove(
        _ fault: String, runs: Int, within limit: Duration = .seconds(60), acceptsAgain: Duration? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> FaultVerdict {
        let verdict = try await self.verdict(within: limit)
        #expect(
            verdict.lost.isEmpty, "\(fault): \(verdict.lost.count) lost, such as \(verdict.lost.prefix(5))",
            sourceLocation: sourceLocation)
        #expect(
            verdict.unexplained.isEmpty,
            "\(fault): \(verdict.unexplained.count) unexplained, such as \(verdict.unexplained.prefix(5))",
            sourceLocation: sourceLocation)
        try FaultReport(fault, runs: runs, verdict, acceptsAgain: acceptsAgain).publish()
        return verdict
    }

    /// Sends a message again and again for so long, each when the one before has arrived. Gives the longest time from
    /// before its submission to its arrival.
    func longestDelivery(at sink: ScriptedPeer, for duration: Duration) async throws -> Duration {
        let end = ContinuousClock.now + duration
        var longest = Duration.zero
        var count = 0
        while ContinuousClock.now < end {
            let begun = ContinuousClock.now
            try await self.send(1)
            count += 1
            guard await sink.wait(within: .seconds(120), until: { $0.arrivals.count >= count }) else {
                throw LabFailure("message \(count) did not arrive within 120 s")
            }
            longest = max(longest, ContinuousClock.now - begun)
            try await Task.sleep(for: .milliseconds(100))
        }
        return longest
    }
}

extension LabDomain {
    /// A domain whose host keeps an arrival for each message.
    static func sink(_ name: String, rules: [ScriptedRule] = []) -> LabDomain {
        var domain = LabDomain.dane(name, rules: rules)
        domain.retention = .arrivals
        return domain
    }
}

extension LabRelayOptions {
    /// Short leases and retries, so that a fault is over within seconds. While mail is refused the load connects again and again.
    static func faults(_ settings: [String: String] = [:]) -> LabRelayOptions {
        var options = LabRelayOptions()
        let quick = [
            "queue.lease-ttl": "5s", "queue.lease-renewal": "1s", "retry.schedule": "[100ms, 1s]",
            "database.statement-timeout": "4s", "database.acquire-timeout": "4s",
            "smtp.max-connection-rate": "0",
        ]
        options.settings = quick.merging(settings) { $1 }
        return options
    }
}
