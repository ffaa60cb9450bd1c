import Foundation
import LabDatabase
import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

/// The database's disks are full: mail waits on both sides, and goes on when there is space.
@Suite(
    "Full disks of PostgreSQL", .timeLimit(.minutes(FaultForm.choose(short: 4, long: 60))),
    .enabled(if: PrivateDisks.unavailable == nil, "\(PrivateDisks.unavailable ?? "")"))
struct DatabaseDiskFaultTests {
    private static func options(_ disks: PrivateDisks.Sizes = PrivateDisks.Sizes()) -> LabRelayOptions {
        var options = LabRelayOptions.faults()
        options.disks = disks
        return options
    }

    @Test("hostile-input 33: the data disk is full: 451 at RCPT, /readyz says so, no attempt begins; then all goes on")
    func data() async throws {
        let rounds = FaultForm.choose(short: 2, long: 20)
        let busy = LabDomain.sink("busy.test", rules: [.on(.everyRecipient, .reply("450 4.2.0 Mailbox busy"))])
        try await LabRelay.with([.sink("bravo.test"), busy], Self.options()) { lab in
            let load = FaultLoad(lab, to: ["bravo.test"])
            try await load.run {
                for _ in 0..<rounds { try await self.fillData(lab, load) }
            }
            lab.peer("busy.test").server.follow([])
            try await load.prove("data disk full", runs: rounds, acceptsAgain: load.longestWait)
            #expect(try await lab.relayd.metric("relayd_pg_errors_total", label: "disk_full") > 0)
        }
    }

    private func fillData(_ lab: LabRelay, _ load: FaultLoad) async throws {
        let disks = try #require(lab.postgres.disks)
        // It is tried again every second, so long as attempts begin.
        let waiting = try await lab.submit(to: "bob@busy.test")
        try await lab.wait(for: waiting) { $0.contains { $0.kind == .defer } }
        try disks.fill(.data)
        try await lab.relayd.waitUntilNotReady("database failed: disk full")
        let refused = try await DatabaseFaultTests.offer(lab)
        #expect(refused.code == 451, "\(refused)")
        // What was under way may end, within the time of a look-up and a conversation; then there is silence.
        try await Task.sleep(for: .seconds(1))
        let busy = lab.peer("busy.test").server
        let connections = busy.connectionCount
        try await Task.sleep(for: .seconds(3))
        #expect(busy.connectionCount == connections, "attempts were begun that cannot be recorded")
        try disks.free(.data)
        try await lab.postgres.waitUntilServing()
        try await load.acceptsAgain(within: DatabaseFaultTests.recovery)
        try await lab.relayd.waitUntilReady()
    }

    @Test(
        "hostile-input 33: the disk of the write-ahead log is full, PostgreSQL dies of it: 4xx meanwhile, then all goes on"
    )
    func log() async throws {
        let rounds = FaultForm.choose(short: 1, long: 10)
        // The other disk must not fill by itself: with each crash PostgreSQL forgets how much there is to vacuum.
        let disks = PrivateDisks.Sizes(data: 512)
        try await LabRelay.with([.sink("bravo.test")], Self.options(disks)) { lab in
            let load = FaultLoad(lab, to: ["bravo.test"])
            let disks = try #require(lab.postgres.disks)
            try await load.run {
                for _ in 0..<rounds {
                    try disks.fill(.log)
                    try await lab.relayd.waitUntilNotReady("database failed", within: .seconds(60))
                    let refused = try await DatabaseFaultTests.offer(lab)
                    #expect((400..<500).contains(refused.code), "\(refused)")
                    try disks.free(.log)
                    try await lab.postgres.waitUntilServing()
                    try await load.acceptsAgain(within: DatabaseFaultTests.recovery)
                    try await lab.relayd.waitUntilReady()
                }
            }
            try await load.prove("disk of the write-ahead log full", runs: rounds, acceptsAgain: load.longestWait)
        }
    }
}

extension PrivatePostgres {
    /// Starts the server if it has given up, as a service manager would, and waits until it answers.
    func waitUntilServing() async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                if !self.isRunning { try await self.restart() }
                try await self.command("SELECT 1")
                return
            } catch {
                guard ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
