import LabPeers
import LabRelay
import LabSupport
import PostgresDriver
import QueueStore
import Testing

/// A domain that takes no mail for a while, beside one that does.
@Suite("Dead destinations", .timeLimit(.minutes(FaultForm.choose(short: 3, long: 30))))
struct DeadDestinationFaultTests {
    private static let closed = ScriptedRule.on(.greeting, .reply("421 4.3.2 closed"), .close)
    private static let duration = FaultForm.choose(short: Duration.seconds(5), long: .seconds(120))
    private static let kills = FaultForm.choose(short: 1, long: 10)

    @Test(
        "A dead destination costs one row and one test delivery at each step, whoever dies meanwhile; when it is back all arrives"
    )
    func deadDestination() async throws {
        let domains = [LabDomain.sink("dead.test", rules: [Self.closed]), .sink("alive.test")]
        try await LabRelay.with(domains, .faults()) { lab in
            let dead = lab.peer("dead.test").server
            let load = FaultLoad(lab, to: ["dead.test"])
            try await load.send(FaultForm.choose(short: 100, long: 2000))
            #expect(await lab.relayd.waitForLogLine { $0["msg"] == "destination is backed off" } != nil)

            // The first few were under way together, and their failures are one. A second failure is a test delivery's:
            // there is none before all of the first have ended.
            let before = try await TestDeliveries(of: "dead.test", in: lab) { $0.failures >= 2 }
            let alive = FaultLoad(lab, to: ["alive.test"])
            let longest = try await alive.longestDelivery(at: lab.peer("alive.test").server, for: Self.duration)
            #expect(longest < .seconds(10))
            print("beside a dead destination: other mail took \(longest) at the longest")
            let after = try await TestDeliveries(of: "dead.test", in: lab)
            #expect(after.failures > before.failures, "there was no test delivery")
            #expect(
                after.deferred - before.deferred == after.failures - before.failures, "others' entries were touched")
            #expect(after.connections - before.connections == after.failures - before.failures)

            for _ in 0..<Self.kills {
                let killed = try await TestDeliveries(of: "dead.test", in: lab)
                await lab.relayd.kill()
                try await lab.relayd.launch()
                try await alive.acceptsAgain(within: .seconds(30))
                let costs = try await TestDeliveries(of: "dead.test", in: lab) { $0.failures > killed.failures }
                // The kill may have cut a test delivery short, which then counts as no failure.
                let uncounted = (costs.connections - killed.connections) - (costs.failures - killed.failures)
                #expect((0...1).contains(uncounted), "\(uncounted) connections beside the test deliveries")
            }
            dead.follow([])
            try await alive.prove("destination dead, node killed: another destination", runs: Self.kills)
            try await load.prove("destination dead, node killed", runs: Self.kills)
            #expect(await lab.relayd.waitForLogLine { $0["msg"] == "destination works again" } != nil)
            #expect(try await lab.destinationRows() == 0)
        }
    }
}

/// What the test deliveries of a dead destination have cost so far.
private struct TestDeliveries: Equatable {
    /// The failures in a row that are on record.
    let failures: Int
    /// Attempts of its entries that were deferred.
    let deferred: Int
    /// Connections that its host has had.
    let connections: Int

    /// Reads them between two test deliveries, when they are as wanted. Nothing has moved for a while, which is shorter
    /// than the wait between two test deliveries. Fails unless the destination has one row, which is the only one.
    init(of domain: String, in lab: LabRelay, when condition: (TestDeliveries) -> Bool = { _ in true }) async throws {
        var last: TestDeliveries?
        for _ in 0..<150 {
            let costs = try await TestDeliveries(now: domain, in: lab)
            if costs == last, condition(costs) {
                self = costs
                return
            }
            last = costs
            try await Task.sleep(for: .milliseconds(200))
        }
        throw LabFailure("\(domain) has test deliveries without a pause, or none any more")
    }

    private init(now domain: String, in lab: LabRelay) async throws {
        let statement = Statement(
            """
            SELECT failures, (SELECT count(*) FROM relay.trace WHERE domain = $1 AND kind = 'DEFER')
            FROM relay.destination
            """, domain)
        let row = try await lab.store.pool.query(statement).single()
        self.failures = Int(try row.get(0, as: Int32.self))
        self.deferred = Int(try row.get(1, as: Int64.self))
        self.connections = lab.peer(domain).server.connectionCount
    }
}

extension LabRelay {
    /// How many destinations are in backoff.
    fileprivate func destinationRows() async throws -> Int {
        Int(
            try await self.store.pool.query(Statement("SELECT count(*) FROM relay.destination")).single().get(
                0, as: Int64.self))
    }
}
