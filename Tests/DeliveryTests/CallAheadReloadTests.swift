import Admission
import DANE
import LabPeers
import MailModel
import NodeState
import Routing
import SMTPProtocol
import ServiceSupport
import TestLiterals
import Testing

@testable import Delivery

/// Whose answers about recipients hold after a reload.
@Suite("Call-ahead and reloads", .timeLimit(.minutes(2)))
struct CallAheadReloadTests {
    private static func hop(to peer: ScriptedPeer) throws -> NextHop {
        .address(try #require(IPAddress(peer.address)), port: peer.port)
    }

    private static func policy(alpha: ScriptedPeer, bravo: ScriptedPeer) throws -> InboundPolicy {
        InboundPolicy(
            domains: [
                "alpha.test": AcceptedDomain(nextHop: try self.hop(to: alpha), verification: .callAhead),
                "bravo.test": AcceptedDomain(nextHop: try self.hop(to: bravo), verification: .callAhead),
            ], relayNetworks: [])
    }

    @Test("A next hop that takes the place of another is asked itself; what others have answered stays")
    func otherNextHop() async throws {
        let refuse = ScriptedRule.on(.everyRecipient, .reply("550 5.1.1 nobody"))
        try await ScriptedPeer.with([refuse]) { former in
            try await ScriptedPeer.with { next in
                try await DeliveryFixture.run { queue in
                    let state = queue.parts.hosts.state
                    var current = state.current
                    current.policy = try Self.policy(alpha: former, bravo: former)
                    state.replace(with: current)
                    let service = queue.callAhead(
                        CallAheadService.Limits(
                            deadline: .seconds(60),
                            table: .init(positiveTime: .seconds(3600), negativeTime: .seconds(3600), entries: 10),
                            connections: 10, connectionsPerDomain: 10, acceptsUnsure: false))
                    async let _: Void = service.run()
                    for domain: DomainName in ["alpha.test", "bravo.test"] {
                        let decision = await service.decide(try #require(Mailbox("bob@\(domain)")), of: domain)
                        #expect(decision.refusal?.code == 550)
                    }
                    #expect(former.connectionCount == 2)

                    current.policy = try Self.policy(alpha: former, bravo: next)
                    state.replace(with: current)
                    for _ in 0..<2 {
                        #expect(await service.decide("bob@bravo.test", of: "bravo.test") == .accept)
                        #expect(await service.decide("bob@alpha.test", of: "alpha.test").refusal?.code == 550)
                    }
                    #expect(former.connectionCount == 2 && next.connectionCount == 1)
                }
            }
        }
    }
}

extension SMTPRecipientDecision {
    fileprivate var refusal: SMTPReply? { if case .refuse(let reply) = self { reply } else { nil } }
}
