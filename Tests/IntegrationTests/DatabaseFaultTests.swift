import Foundation
import LabDatabase
import LabPeers
import LabRelay
import LabSupport
import Testing

/// PostgreSQL goes away and comes back: nothing acknowledged is lost, and clients hear 4xx meanwhile.
@Suite("Faults of PostgreSQL", .timeLimit(.minutes(FaultForm.choose(short: 4, long: 60))))
struct DatabaseFaultTests {
    /// Back within this time, whatever it was.
    static let recovery = Duration.seconds(30)

    @Test(
        "hostile-input 30: PostgreSQL stopped at once and started again, under load: nothing is lost, mail is taken again"
    )
    func restarts() async throws {
        let rounds = FaultForm.choose(short: 4, long: 60)
        try await LabRelay.with([.sink("bravo.test")], .faults()) { lab in
            var random = FaultForm.random(for: "PostgreSQL stopped at once")
            let load = FaultLoad(lab, to: ["bravo.test"])
            try await load.run {
                for _ in 0..<rounds {
                    try await Task.sleep(for: random.duration(.milliseconds(300) ... .seconds(2)))
                    await lab.postgres.stopImmediately()
                    try await Task.sleep(for: random.duration(.milliseconds(100) ... .seconds(3)))
                    try await lab.postgres.restart()
                    try await load.acceptsAgain(within: Self.recovery)
                }
                try await lab.relayd.waitUntilReady()
            }
            try await load.prove("PostgreSQL stopped at once", runs: rounds, acceptsAgain: load.longestWait)
        }
    }

    /// Runs a lab whose relay reaches its database through a proxy.
    private func withProxy(
        _ settings: [String: String] = [:], _ body: (LabRelay, PostgresProxy) async throws -> Void
    ) async throws {
        let proxy = try PostgresProxy()
        var options = LabRelayOptions.faults(settings)
        options.settings["database.connection"] =
            "'host=\(proxy.directory.path) port=5432 dbname=relay user=relayd'"
        options.startsRelayd = false
        do {
            try await LabRelay.with([.sink("bravo.test")], options) { lab in
                try await proxy.start(lab.postgres)
                try await lab.relayd.start()
                try await body(lab, proxy)
            }
        } catch {
            await proxy.stop()
            throw error
        }
        await proxy.stop()
    }

    @Test(
        "hostile-input 31: one transaction in eight is cut around its COMMIT, and nothing is lost or stored twice",
        arguments: zip(
            [PostgresProxy.Fault.cutBeforeCommit, .loseReply],
            ["connection cut in front of COMMIT", "reply to COMMIT lost"]))
    func commits(_ fault: PostgresProxy.Fault, named name: String) async throws {
        let faults = FaultForm.choose(short: 30, long: 1000)
        try await self.withProxy { lab, proxy in
            let load = FaultLoad(lab, to: ["bravo.test"])
            try await load.run {
                proxy.disturb([fault], oneIn: 8, FaultForm.random(for: name))
                let limit = FaultForm.choose(short: Duration.seconds(60), long: .seconds(1200))
                // A slow machine gets through fewer of them.
                _ = await eventually(within: limit, every: .milliseconds(50)) { proxy.faultCount >= faults }
                proxy.disturb(oneIn: nil, SplitMix(seed: 0))
                try await load.acceptsAgain(within: Self.recovery)
            }
            #expect(proxy.faultCount > faults / 4, "hardly a connection was cut")
            try await load.prove(name, runs: proxy.faultCount, acceptsAgain: load.longestWait)
        }
    }

    @Test("hostile-input 30: all connections cut at once, and none to be had for a while")
    func cuts() async throws {
        let rounds = FaultForm.choose(short: 4, long: 60)
        try await self.withProxy { lab, proxy in
            var random = FaultForm.random(for: "all connections cut")
            let load = FaultLoad(lab, to: ["bravo.test"])
            try await load.run {
                for _ in 0..<rounds {
                    try await Task.sleep(for: random.duration(.milliseconds(200) ... .seconds(2)))
                    proxy.refuse(true)
                    proxy.cutAll()
                    try await Task.sleep(for: random.duration(.milliseconds(50) ... .seconds(3)))
                    proxy.refuse(false)
                    try await load.acceptsAgain(within: Self.recovery)
                }
            }
            try await load.prove("all connections cut", runs: rounds, acceptsAgain: load.longestWait)
        }
    }

    @Test(
        "hostile-input 35: with every connection busy a client hears 451 in time, then at once, and 250 when they are free"
    )
    func exhausted() async throws {
        let settings = [
            "database.pool-size": "2", "database.acquire-timeout": "4s", "database.statement-timeout": "2s",
        ]
        try await self.withProxy(settings) { lab, proxy in
            let load = FaultLoad(lab, to: ["bravo.test"])
            try await load.acceptsAgain(within: Self.recovery)
            try await load.send(20)
            proxy.stall(true)
            let start = ContinuousClock.now
            let first = try await Self.offer(lab)
            #expect(first.code == 451)
            #expect(ContinuousClock.now - start < .seconds(30))
            try await lab.relayd.waitUntilNotReady("database failed")
            // Leases that are not renewed keep no mail away; a storage check without an answer does.
            #expect(await lab.relayd.waitForLogLine { $0.text.contains("database is not well") } != nil)
            let again = ContinuousClock.now
            let second = try await Self.offer(lab)
            #expect(second.code == 451 && "\(second)".contains("4.3.0"), "\(second)")
            #expect(ContinuousClock.now - again < .seconds(3), "refused without a question to the database")
            proxy.stall(false)
            try await load.acceptsAgain(within: Self.recovery)
            try await lab.relayd.waitUntilReady()
            try await load.prove("every connection silent", runs: 1, acceptsAgain: load.longestWait)
        }
    }

    /// Offers one message in clear; the reply that it ended with.
    static func offer(_ lab: LabRelay, to recipient: String = "bob@bravo.test") async throws -> SMTPDialog.Reply {
        try await SMTPDialog.with(port: lab.smtpPort) { smtp in
            try await smtp.hello()
            return try await smtp.submit(
                from: "alice@alpha.test", to: [recipient],
                LabRelay.message(from: "alice@alpha.test", to: [recipient]))
        }
    }
}
