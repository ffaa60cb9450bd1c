import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

/// Two nodes on one queue: what an owner may still do that others take for dead, and how soon they do.
@Suite("An owner that falls silent", .serialized, .timeLimit(.minutes(FaultForm.choose(short: 3, long: 60))))
struct OwnerFaultTests {
    /// The first node of each lab, and the one that takes over.
    private static let (former, next) = (LabRelay.nodeName, "relay-b.test")
    private static let pauses = FaultForm.choose(short: 1, long: 20)
    private static let timeToLive = Duration.seconds(5)

    @Test(
        "hostile-input 32: stopped for three lease times, an owner changes no row of a shard that another took, and ends no message there"
    )
    func suspended() async throws {
        // At any time there are messages at each of these instants: under way, before the final dot, and behind it.
        let domains: [LabDomain] = [
            .sink("quick.test"), .sink("before.test", rules: [.on(.data, .wait(.seconds(2)), .proceed)]),
            .sink("behind.test", rules: [.on(.endOfData, .wait(.seconds(2)), .proceed)]),
        ]
        try await LabRelay.with(domains, .faults()) { lab in
            var random = FaultForm.random(for: "SIGSTOP of the owner")
            let audit = try await OwnerAudit.install(in: lab)
            let second = try lab.addNode(Self.next)
            try await second.relayd.start()
            let load = FaultLoad(
                lab, to: domains.map(\.name), ports: [lab.smtpPort, second.smtpPort], connections: 1,
                pause: .seconds(1))
            try await load.run {
                var owner = (name: Self.former, relayd: lab.relayd)
                var other = (name: second.name, relayd: second.relayd)
                for _ in 0..<Self.pauses {
                    try await Task.sleep(for: random.duration(.seconds(2) ... .seconds(5)))
                    owner.relayd.suspend()
                    try await Task.sleep(for: Self.timeToLive * 3)
                    #expect(try await audit.owns(other.name, within: .seconds(10)))
                    owner.relayd.resume()
                    swap(&owner, &other)
                }
                // What the former owner was at goes on.
                try await Task.sleep(for: .seconds(3))
            }
            let verdict = try await load.prove("SIGSTOP of the owner for three lease times", runs: Self.pauses)
            #expect(verdict.acknowledged > 20, "there was hardly any load")
            for node in [Self.former, Self.next] {
                #expect(try await audit.changesAfterTakeover(of: node) == [])
                #expect(try await audit.changeCount(of: node) > 0, "\(node) did nothing, and so proves nothing")
            }
            let arrivals = domains.flatMap { lab.peer($0.name).server.arrivals }
            #expect(try await audit.arrivalsAfterTakeover(arrivals) == [])
            #expect(Set(arrivals.map(\.client)) == [Self.former, Self.next])
        }
    }

    @Test(
        "hostile-input 32: what a stopped owner had sent before its lease ended is recorded as delivered, and not sent again"
    )
    func lateDelivery() async throws {
        let slow = LabDomain.sink("behind.test", rules: [.on(.endOfData, .wait(.seconds(6)), .proceed)])
        // The new owner waits for a step of the schedule before it would send the message itself.
        try await LabRelay.with([slow], .faults(["retry.schedule": "[10m]"])) { lab in
            let audit = try await OwnerAudit.install(in: lab)
            let second = try lab.addNode(Self.next)
            try await second.relayd.start()
            let id = try await lab.submit(to: "bob@behind.test")
            let sink = lab.peer("behind.test").server
            #expect(await sink.wait { $0.arrivals.count == 1 })
            lab.relayd.suspend()
            try await lab.wait(for: id, within: .seconds(40)) { $0.contains { $0.kind == .defer } }
            lab.relayd.resume()
            let trace = try await lab.wait(for: id, within: .seconds(30)) { $0.contains { $0.kind == .send } }
            #expect(trace.map(\.kind) == [.receive, .defer, .send])
            #expect(trace.map(\.node) == [Self.former, Self.next, Self.former])
            #expect(await lab.becomesEmpty(within: .seconds(5)))
            #expect(sink.arrivals.count == 1)
            #expect(try await audit.lateDeliveries(of: Self.former) == 1)
            #expect(try await audit.changesAfterTakeover(of: Self.former) == [])
        }
    }

    @Test("A node that waits takes over from one that was killed within a lease's life and one round")
    func takeover() async throws {
        try await LabRelay.with([.sink("bravo.test")], .faults()) { lab in
            let audit = try await OwnerAudit.install(in: lab)
            let second = try lab.addNode(Self.next)
            try await second.relayd.start()
            let load = FaultLoad(lab, to: ["bravo.test"], ports: [second.smtpPort])
            let wait = try await load.run {
                try await Task.sleep(for: .seconds(1))
                await lab.relayd.kill()
                let killed = ContinuousClock.now
                #expect(try await audit.owns(second.name, within: .seconds(30)))
                return ContinuousClock.now - killed
            }
            // The time to live and one round are six seconds; the rest is for a busy machine.
            #expect(wait < .seconds(12), "\(wait)")
            print("taken over after \(wait)")
            try await load.prove("owner killed, another waits", runs: 1)
            #expect(try await audit.changesAfterTakeover(of: Self.former) == [])
        }
    }

    @Test("hostile-input 35: a second node of the same name is refused, and takes its place when the first is gone")
    func duplicateName() async throws {
        try await LabRelay.with([.sink("bravo.test")], .faults()) { lab in
            let audit = try await OwnerAudit.install(in: lab)
            let twin = try lab.addNode(Self.former)
            try await twin.relayd.launch()
            let refusal = await twin.relayd.waitForLogLine(within: .seconds(20)) {
                $0["reason"]?.contains("another node named \(Self.former) is running") ?? false
            }
            #expect(refusal?["reason"]?.contains("(queue.lease-ttl)") == true)
            // For longer than a lease lives.
            try await Task.sleep(for: Self.timeToLive + .seconds(2))
            #expect(try await twin.relayd.readiness().text.contains("another node named"))
            #expect(try await audit.terms().count == 4, "shards changed hands")
            try await lab.submit(to: "bob@bravo.test")
            #expect(await lab.peer("bravo.test").server.wait { $0.messageCount == 1 })

            await lab.relayd.stop()
            try await twin.relayd.waitUntilReady(within: .seconds(30))
        }
    }
}

extension OwnerAudit {
    /// Waits until a node owns all shards; `false` when time is up.
    func owns(_ node: String, within limit: Duration) async throws -> Bool {
        try await eventually(within: limit, every: .milliseconds(50)) {
            var owners: [Int16: String?] = [:]
            for term in try await self.terms() { owners[term.shard] = .some(term.owner) }
            return owners.values.allSatisfy { $0 == node }
        }
    }
}
