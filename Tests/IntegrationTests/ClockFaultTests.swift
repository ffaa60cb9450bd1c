import LabDatabase
import LabRelay
import LabSupport
import MailModel
import OperatingSystem
import PostgresDriver
import QueueStore
import Testing

/// Clocks that are set while the relay runs.
@Suite("A clock that is set", .serialized, .timeLimit(.minutes(FaultForm.choose(short: 3, long: 60))))
struct ClockFaultTests {
    private static let steps = FaultForm.choose(short: 1, long: 20)
    private static let hour = Duration.seconds(3600)
    /// For how long a clock stays as it was set: a few renewals of the leases.
    private static let stay = Duration.seconds(2)

    @Test(
        "hostile-input 35: a node that died before the database's clock was set back holds no shard for longer"
    )
    func databaseBack() async throws {
        try await LabRelay.with([.sink("bravo.test")], .faults()) { lab in
            let load = FaultLoad(lab, to: ["bravo.test"])
            try await load.run {
                for _ in 0..<Self.steps {
                    try await Task.sleep(for: .seconds(1))
                    await lab.relayd.kill()
                    // So they look to a clock that was set back by an hour.
                    try await lab.store.pool.script(
                        """
                        UPDATE relay.shard_lease SET expires_at = expires_at + interval '1 hour';
                        UPDATE relay.node SET seen_at = seen_at + interval '1 hour';
                        """)
                    try await lab.relayd.launch()
                    try await load.acceptsAgain(within: .seconds(30))
                    try await lab.relayd.waitUntilReady(within: .seconds(40))
                }
            }
            try await load.prove(
                "node killed, then the database's clock set back", runs: Self.steps, acceptsAgain: load.longestWait)
        }
    }

    @Test("hostile-input 35: a node whose clock is set an hour ahead or back keeps its shards, and mail goes on")
    func node() async throws {
        try await withTemporaryFolder { folder in
            let clock = try FakeClock(in: folder)
            var options = LabRelayOptions.faults()
            options.environment = clock.environment
            try await LabRelay.with([.sink("bravo.test")], options) { lab in
                let audit = try await OwnerAudit.install(in: lab)
                let load = FaultLoad(lab, to: ["bravo.test"])
                try await load.run {
                    for _ in 0..<Self.steps {
                        for offset in [Self.hour, .zero, .zero - Self.hour, .zero] {
                            try clock.set(ahead: offset)
                            try await load.acceptsAgain(within: .seconds(30))
                            try await Task.sleep(for: Self.stay)
                        }
                    }
                }
                let step = await lab.relayd.waitForLogLine { $0["msg"]?.hasPrefix("the clock was set") ?? false }
                #expect(step != nil, "the node saw no step, so nothing is proven")
                let verdict = try await load.prove(
                    "the node's clock set by an hour", runs: Self.steps * 4, acceptsAgain: load.longestWait)
                #expect(verdict.copies == 0)
                #expect(try await audit.terms().count == LabRelayOptions().shards, "shards changed hands")
            }
        }
    }

    @Test(
        "hostile-input 35: the database's clock is set an hour back and ahead under load: nothing is lost or sent twice"
    )
    func database() async throws {
        let folder = try LabFolder.temporary()
        let clock = try FakeClock(in: folder.url)
        var options = LabRelayOptions.faults()
        options.folder = folder
        try await LabRelay.with([.sink("bravo.test")], options) { lab in
            try await lab.postgres.restart(environment: clock.environment)
            try await lab.relayd.waitUntilReady()
            let load = FaultLoad(lab, to: ["bravo.test"])
            try await load.run {
                for _ in 0..<Self.steps {
                    // What waits when it is set back waits until the hour has come again; so in the end it is set ahead.
                    for offset in [.zero - Self.hour, .zero, Self.hour, .zero, Self.hour] {
                        try clock.set(ahead: offset)
                        try await load.acceptsAgain(within: .seconds(30))
                        try await Task.sleep(for: Self.stay)
                    }
                }
            }
            let row = try #require(try await lab.postgres.command("SELECT extract(epoch FROM now())::int8"))
            let ahead = Duration.seconds(try row.get(0, as: Int64.self) - Timestamp.systemNow.microseconds / 1_000_000)
            #expect(ahead > Self.hour / 2, "the server goes by another clock, so nothing is proven")
            let verdict = try await load.prove(
                "the database's clock set by an hour", runs: Self.steps * 5, acceptsAgain: load.longestWait)
            #expect(verdict.copies == 0)
        }
    }
}
