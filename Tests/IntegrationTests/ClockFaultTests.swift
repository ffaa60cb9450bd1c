import Lab
import PostgresDriver
import QueueStore
import Testing

/// Clocks that are set while the relay runs.
@Suite("A clock that is set", .serialized, .timeLimit(.minutes(FaultForm.choose(short: 3, long: 60))))
struct ClockFaultTests {
    private static let steps = FaultForm.choose(short: 1, long: 20)

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
}
