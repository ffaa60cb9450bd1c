import Foundation
import LabDatabase
import LabPeers
import LabRelay
import LabSupport
import PostgresDriver
import Testing

/// The standby takes over, and the former primary comes back as what it was.
@Suite("Fail-over of PostgreSQL", .timeLimit(.minutes(FaultForm.choose(short: 4, long: 60))))
struct DatabaseFailoverFaultTests {
    @Test(
        "hostile-input 31: fail-over to the synchronous standby loses nothing, and the former primary that returns is not used"
    )
    func failover() async throws {
        for _ in 0..<FaultForm.choose(short: 1, long: 10) {
            let folder = try LabFolder.temporary()
            var options = LabRelayOptions.faults()
            options.folder = folder
            let standbyFolder = folder.url.appending(path: "standby")
            options.standbyFolder = standbyFolder
            try await LabRelay.with([.sink("bravo.test")], options) { lab in
                let standby = try await lab.postgres.startStandby(in: standbyFolder)
                let result: Result<Void, any Error>
                do {
                    try await self.failOver(lab, to: standby)
                    result = .success(())
                } catch {
                    result = .failure(error)
                }
                await standby.stop()
                try result.get()
            }
        }
    }

    private func failOver(_ lab: LabRelay, to standby: PrivatePostgres) async throws {
        let load = FaultLoad(lab, to: ["bravo.test"])
        let former = lab.postgres
        try await load.run {
            try await Task.sleep(for: .seconds(1))
            await former.stopImmediately()
            try await standby.promote()
            try await load.acceptsAgain(within: DatabaseFaultTests.recovery)
            // The lab's own view of the queue has found the new primary, too.
            _ = try await lab.queueSummary()

            // Nobody keeps it down, and it waits for no standby: what it took would be lost.
            try await former.restart(with: ["synchronous_standby_names="])
            let before = try await self.messages(on: former)
            // The relay must connect anew, and the former primary is the first of its list.
            try await standby.command("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'relayd'")
            try await load.acceptsAgain(within: DatabaseFaultTests.recovery)
            try await lab.relayd.waitUntilReady()
            #expect(try await self.messages(on: former) == before, "the former primary took mail")

            // With the former primary alone the relay rather takes nothing.
            await standby.stopImmediately()
            try await lab.relayd.waitUntilNotReady("former primary")
            let refused = try await DatabaseFaultTests.offer(lab)
            #expect(refused.code == 451, "\(refused)")
            #expect(try await self.messages(on: former) == before, "the former primary took mail")
            try await standby.restart()
            try await load.acceptsAgain(within: DatabaseFaultTests.recovery)
        }
        try await load.prove("fail-over, the former primary returns", runs: 1, acceptsAgain: load.longestWait)
    }

    /// All that was ever stored there, as its sequence of trace rows tells.
    private func messages(on server: PrivatePostgres) async throws -> Int64? {
        try await server.command("SELECT count(*) FROM relay.trace", database: "relay")?.get(0)
    }
}
