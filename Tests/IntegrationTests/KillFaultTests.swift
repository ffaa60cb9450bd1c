import LabRelay
import LabSupport
import Testing

/// Hostile-input case 29: accepted means committed, whenever the node dies.
@Suite("A node killed at any instant", .timeLimit(.minutes(FaultForm.choose(short: 3, long: 60))))
struct KillFaultTests {
    private static let kills = FaultForm.choose(short: 10, long: 200)

    @Test(
        "hostile-input 29: kill -9 at random instants under load: nothing acknowledged is lost, every second copy is explained"
    )
    func kills() async throws {
        try await LabRelay.with([.sink("bravo.test")], .faults()) { lab in
            var random = FaultForm.random(for: "kill -9 of relayd")
            let load = FaultLoad(lab, to: ["bravo.test"])
            try await load.run {
                for _ in 0..<Self.kills {
                    // At moments between start and full work: a new run takes mail at once, and delivers when the leases of
                    // the former have run out.
                    try await Task.sleep(for: random.duration(.milliseconds(100) ... .seconds(8)))
                    await lab.relayd.kill()
                    try await lab.relayd.launch()
                    try await load.acceptsAgain(within: .seconds(30))
                }
                try await lab.relayd.waitUntilReady()
            }
            let verdict = try await load.prove(
                "kill -9 of relayd at random instants", runs: Self.kills, acceptsAgain: load.longestWait)
            #expect(verdict.acknowledged > 100, "there was hardly any load")
        }
    }
}
