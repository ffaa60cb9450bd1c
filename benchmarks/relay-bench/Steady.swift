import ArgumentParser
import Foundation
import LabDatabase
import LabPeers
import LabRelay
import Synchronization

struct Steady: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show that a steady load leaves nothing behind that grows.",
        discussion: """
            Sends messages at a steady rate through a relay to a sink, and a share of them to a host that always says "later",
            where they are tried again until they expire. After a warm-up, in which tables reach their size, the first third of
            the time is compared with the last. Exit code 1 if anything has grown beyond what is allowed.
            """)

    @Option(name: .long, help: "Minutes in all.")
    var minutes = 30

    @Option(name: .long, help: "Minutes at the beginning that do not count; a fifth of all unless given.")
    var warmUp: Int?

    @Option(name: .long, help: "Messages a second.")
    var rate = 100

    @Option(name: .long, help: "Of a hundred messages, how many go to the host that says \"later\".")
    var later = 5

    @Option(name: .long, help: "The size of a message in bytes, header included.")
    var size = 10_240

    @Option(name: .long, help: "Seconds between two looks.")
    var interval = 5

    @Option(name: .long, help: "A setting of relayd as key=value in YAML; may be given again.")
    var set: [String] = []

    static let laterDomain = "later.test"

    func validate() throws {
        guard self.minutes > 0, self.rate >= 10, (0...100).contains(self.later), self.size > 0, self.interval > 0,
            (self.warmUp ?? 0) < self.minutes
        else { throw ValidationError("Numbers must be above 0, and the rate at least 10.") }
    }

    func run() async throws {
        var sink = LabDomain.dane(Bench.domain)
        sink.retention = .messageIDs
        let busy = LabDomain.dane(Self.laterDomain, rules: [.on(.everyRecipient, .reply("450 4.2.0 later"))])
        var options = LabRelayOptions()
        options.durability = .durable
        options.shards = 64
        // Messages that nobody takes live for four minutes, so that their number is steady, too.
        options.settings = [
            "retry.schedule": "[30s, 60s]", "retry.lifetime": "240s", "retry.dane-lifetime": "240s",
            "retry.delay-notice": "120s",
        ]
        options.settings.merge(self.set.map(EndToEnd.split)) { $1 }
        let report = try await LabRelay.with([sink, busy], options) { try await self.measure($0) }
        print(report.text)
        if report.hasGrown { throw ExitCode(1) }
    }

    private func measure(_ lab: LabRelay) async throws -> SteadyReport {
        let load = SteadyLoad(
            port: lab.smtpPort, rate: self.rate, size: self.size, later: self.later, laterDomain: Self.laterDomain)
        let sampler = try SteadySampler(lab: lab)
        var report = SteadyReport(warmUp: .seconds(60 * (self.warmUp ?? self.minutes / 5)))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await load.run() }
            let start = ContinuousClock.now
            while ContinuousClock.now - start < .seconds(60 * self.minutes) {
                try await Task.sleep(for: .seconds(self.interval))
                let sample = try await sampler.look(at: ContinuousClock.now - start, acknowledged: load.acknowledged)
                report.samples.append(sample)
                if report.samples.count % 12 == 0 { Terminal.tell(sample.line) }
            }
            group.cancelAll()
            while (try? await group.next()) != nil {}
        }
        let sink = lab.peer(Bench.domain).server
        let expected = load.acknowledgedForSink
        _ = await sink.wait(within: .seconds(60)) { $0.messageIDs.count >= expected }
        report.missing = max(0, expected - sink.messageIDs.count)
        report.refused = load.refused
        return report
    }
}

/// Messages at a steady rate, over new connections each second.
final class SteadyLoad: Sendable {
    private static let connections = 5
    /// The most seconds whose messages are still under way; a relay that is slower than that slows the load down.
    private static let atOnce = 8

    private struct Counts {
        var acknowledged = 0
        var forSink = 0
        var refused = 0
    }

    private let client: LoadClient
    private let counts = Mutex(Counts())

    init(port: UInt16, rate: Int, size: Int, later: Int, laterDomain: String) {
        var client = LoadClient(port: port, tls: try? Bench.clientTLS())
        client.connections = Self.connections
        client.messagesPerConnection = rate / Self.connections
        client.messageSize = size
        // Nobody is told what became of them.
        client.reversePath = ""
        client.patience = .seconds(30)
        client.recipient = { Self.isForLater($0, later) ? "bob@\(laterDomain)" : "sink@\(Bench.domain)" }
        self.client = client
        self.later = later
    }

    private let later: Int

    private static func isForLater(_ number: Int, _ later: Int) -> Bool { number * 37 % 100 < later }

    var acknowledged: Int { self.counts.withLock { $0.acknowledged } }
    var acknowledgedForSink: Int { self.counts.withLock { $0.forSink } }
    var refused: Int { self.counts.withLock { $0.refused } }

    /// Sends until cancelled.
    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            var next = ContinuousClock.now
            while !Task.isCancelled {
                if running == Self.atOnce {
                    await group.next()
                    running -= 1
                }
                group.addTask { self.count(await self.client.run()) }
                running += 1
                next = max(next + .seconds(1), .now - .seconds(1))
                try? await Task.sleep(until: next)
            }
        }
    }

    private func count(_ report: LoadClient.Report) {
        // The number stands behind the last dot of the id before the @.
        let forSink = report.acknowledged.count { id in
            let number = id.split(separator: "@").first?.split(separator: ".").last.flatMap { Int($0) } ?? 0
            return !Self.isForLater(number, self.later)
        }
        self.counts.withLock {
            $0.acknowledged += report.acknowledged.count
            $0.forSink += forSink
            $0.refused += report.refused.count
        }
    }
}
