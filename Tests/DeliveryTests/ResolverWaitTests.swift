import LabPeers
import LabSupport
import MailModel
import NIOPosix
import OperatingSystem
import QueueStore
import ServiceSupport
import ShardLeases
import Telemetry
import TestLiterals
import Testing

@testable import Delivery

/// What waits for the resolver, and what does not.
@Suite("Waiting for the resolver", .timeLimit(.minutes(3)))
struct ResolverWaitTests {
    private static func at(_ seconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
    }

    @Test("It is said once that deliveries wait, after a moment, and once that they go on (field D8)")
    func announced() {
        var wait = ResolverWait()
        let said = (0...9).map { wait.noted(isPassing: false, at: Self.at($0)) }
        #expect(said.filter { $0 == .announced }.count == 1 && said[2] == .announced)
        #expect(wait.noted(isPassing: true, at: Self.at(10)) == .over(wasAnnounced: true))
        #expect(wait.noted(isPassing: true, at: Self.at(11)) == .none)
        #expect(wait.noted(isPassing: false, at: Self.at(12)) == .none)
        #expect(wait.noted(isPassing: true, at: Self.at(13)) == .over(wasAnnounced: false), "an ordinary start")
    }

    @Test("While the resolver does not work, mail for a next hop given by address is delivered (field D8)")
    func literalNextHop() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                try await queue.enqueue(to: "bravo.test")
                try await queue.enqueue(to: "charlie.test")
                #expect(!queue.health.isPassing(.resolver))
                let supervisor = TaskSupervisor(backlog: 10)
                let shards = ShardTable { term in
                    QueueShard(
                        queue.parts.destinations, term: term, supervisor: supervisor,
                        eventLoops: [MultiThreadedEventLoopGroup.singleton.next()], clock: queue.parts.clock,
                        time: .system)
                }
                await shards.own(queue.parts.gate.leases.terms)
                let finder = DueScanner(
                    store: queue.store, hosts: queue.parts.hosts, gate: queue.parts.gate,
                    activity: queue.parts.activity, health: queue.health, shards: shards, logger: .quiet,
                    clock: queue.parts.clock, time: .system)
                await withTaskGroup { group in
                    group.addTask { await supervisor.run() }
                    group.addTask { await finder.run() }
                    #expect(await peer.wait(within: .seconds(30)) { $0.messageCount == 1 })
                    let hour = queue.parts.clock.now + .seconds(3600)
                    let resting = await eventualValue {
                        let resting = queue.parts.activity.snapshot(at: hour).resting
                        return resting.isEmpty ? nil : resting
                    }
                    #expect(resting?.map(\.domain) == ["charlie.test"] && resting?.map(\.reason) == ["resolver"])
                    await shards.stop()
                    supervisor.close()
                    group.cancelAll()
                }
                #expect(try await queue.listing().map(\.attempts) == [0], "what needs DNS waits")
            }
        }
    }
}
