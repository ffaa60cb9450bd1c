import DeliveryQueue
import Foundation
import LabPeers
import LabSupport
import MailModel
import OperatingSystem
import QueueStore
import Telemetry
import TestLiterals
import Testing

@testable import Delivery

/// Deliveries from a machine whose own network is at fault.
@Suite("Faults of our network", .timeLimit(.minutes(3)))
struct NetworkFaultTests {
    /// For documentation, and on no machine.
    private static let gone = "198.51.100.77"

    private static func source(_ text: String) -> Egress { Egress(.literal(text), helloName: "relay.test") }

    @Test("Why a source address cannot be used is told in words, with no name of a function (field C7)")
    func refusals() throws {
        let gone = try #require(IPAddress(Self.gone))
        #expect(LocalAddresses.refusal(of: gone) == "\(Self.gone) is no address of this machine")
        #expect(LocalAddresses.refusal(of: .loopback) == nil)
        let wanting = LocalAddresses.refusal(of: gone, errno: EMFILE)
        #expect(wanting == "\(Self.gone) cannot be used on this machine: Too many open files")
    }

    @Test(
        "With the source address gone an entry waits at no charge, nothing is held against its domain, and the node says so (field C7)"
    )
    func sourceAddress() async throws {
        let gone = Self.source(Self.gone)
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.sources = [gone] }) { queue in
                let id = try await queue.enqueue(to: "bravo.test")
                let destination = try queue.destination("bravo.test")
                async let running: Void = destination.run()
                let connections = queue.metrics.smtpConnectionsTotal
                #expect(await eventually { connections[.local].value > 0 })
                #expect(connections[.local].value == 1 && connections[.refused].value == 0)
                let network = try #require(queue.health.checks.first { $0.check == .network })
                #expect("\(network.status)".contains("no connection from \(Self.gone), the source address is not on"))
                await destination.stop()
                await running

                #expect(try await queue.listing().map(\.attempts) == [0])
                #expect(try await queue.backoff(of: "bravo.test") == nil)
                #expect(try await queue.store.trace(of: id).map(\.kind) == [.receive])
            }
        }
    }

    @Test("Of two source addresses the one that is there carries the mail, at no charge for the other (field C7)")
    func otherSource() async throws {
        let sources = [Self.source(Self.gone), Self.source("127.0.0.1")]
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.sources = sources }) { queue in
                let id = try await queue.enqueue(to: "bravo.test")
                await (try queue.destination("bravo.test")).run()
                #expect(peer.messageCount == 1)
                #expect(try await queue.store.trace(of: id).map(\.kind) == [.receive, .transfer])
            }
        }
    }
}
