import Admission
import DANE
import DeliveryQueue
import LabPeers
import MailModel
import NIOPosix
import NodeState
import QueueStore
import Routing
import ServiceSupport
import TestLiterals
import Testing
import TransportSecurity

@testable import Delivery

/// A node that goes on to serve by another state while deliveries are under way, and while connections are open.
@Suite("Deliveries when the node's state is replaced", .timeLimit(.minutes(2)))
struct StateChangeTests {
    /// The next state, in which mail for `bravo.test` goes to this host.
    private func next(
        _ queue: DeliveryFixture, to peer: ScriptedPeer, owing demands: DestinationDemands = DestinationDemands()
    ) throws -> NodeState {
        let current = queue.parts.hosts.state.current
        let address = try #require(IPAddress(peer.address))
        return NodeState(
            version: current.version + 1,
            policy: InboundPolicy(
                domains: [
                    "bravo.test": AcceptedDomain(nextHop: .address(address, port: peer.port), demands: demands)
                ], relayNetworks: []),
            destinations: DestinationRules(), sites: current.sites, tls: current.tls)
    }

    @Test("A connection that was opened under another state carries no further message")
    func connections() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], idleTime: .seconds(600)) { queue in
                let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
                func deliver() async throws {
                    try await queue.enqueue(to: "bravo.test")
                    await (try queue.destination("bravo.test", on: eventLoop)).run()
                }
                try await deliver()
                try await deliver()
                #expect(peer.messageCount == 2 && peer.connectionCount == 1)
                queue.parts.hosts.state.replace(with: try self.next(queue, to: peer))
                try await deliver()
                try await deliver()
                #expect(peer.messageCount == 4 && peer.connectionCount == 2)
            }
        }
    }

    @Test("An attempt under way keeps next hop and obligation; those that begin afterwards have the new ones")
    func attempts() async throws {
        try await ScriptedPeer.with([.on(.greeting, .stall(.seconds(120)), .proceed)]) { old in
            try await ScriptedPeer.with { new in
                try await DeliveryFixture.run([("bravo.test", old)]) { queue in
                    try await queue.enqueue(to: "bravo.test")
                    let destination = try queue.destination("bravo.test")
                    async let running: Void = destination.run()
                    #expect(await old.wait { $0.connectionCount == 1 })
                    let encrypted = DestinationDemands(transport: .encrypt)
                    queue.parts.hosts.state.replace(with: try self.next(queue, to: new, owing: encrypted))
                    old.endStalls()
                    await running
                    #expect(old.messageCount == 1 && new.connectionCount == 0)
                    let id = try await queue.enqueue(to: "bravo.test")
                    await (try queue.destination("bravo.test")).run()
                    let outcome = try await queue.store.trace(of: id).last
                    #expect(outcome?.requirement == "encrypt" && outcome?.reason == "starttls-not-supported")
                    #expect(old.connectionCount == 1 && new.connectionCount == 1 && new.messageCount == 0)
                }
            }
        }
    }
}
