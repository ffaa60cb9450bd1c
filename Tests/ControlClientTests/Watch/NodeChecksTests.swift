import Admission
import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import DeliveryQueue
import MailModel
import NodeState
import Routing
import ServiceSupport
import SwiftProtobuf
import Testing

@Suite("What a node checks for itself")
struct NodeChecksTests {
    /// A node that serves by a controller's state.
    private struct Node {
        let inForce: StateInForce
        let applied: AppliedState

        init() throws {
            let inForce = try StateInForce(
                NodeStateContent(), LocalState(sites: SiteLimits(SiteLimit(connections: 1, messagesPerMinute: 0))))
            self.inForce = inForce
            let host = try #require(DomainName("mx.example.test"))
            let checks = NodeChecks(servedNames: [host]) { hop in
                if case .host(host, _) = hop { "0.0.0.0:25" } else { nil }
            }
            self.applied = AppliedState(checks: checks) {
                inForce.state.current
            } apply: {
                try inForce.replace(content: $0)
            }
        }

        /// Takes a whole state; gives the fault if it is refused.
        func take(_ version: UInt64, _ resources: [ControlResource]) throws -> ResourceFault? {
            var machine = WatchClientMachine<ControlResource>(
                version: self.applied.resources.version, held: self.applied.resources.versions)
            _ = machine.connected()
            let changed = try resources.map {
                WatchedResource(key: try #require($0.key), version: $0.version, content: $0)
            }
            let part = WatchPart(nonce: 1, base: 0, target: version, changed: changed, removed: [], hasMore: false)
            guard case .apply(let change) = machine.received(part) else { return ResourceFault(nil, "no change") }
            do throws(ResourceFault) {
                try self.applied.take(change, at: .test)
                return nil
            } catch {
                return error
            }
        }

        var certificates: [String] { self.inForce.state.current.certificates?.names ?? [] }
    }

    @Test("A node gives up a certificate that it presents only when another one is for the same name (control 6)")
    func lastCertificate() throws {
        let node = try Node()
        let old = try Resources.certificate("old", for: "mx.example.test", slot: 0)
        let new = try Resources.certificate("new", for: "*.example.test", slot: 1)
        let stranger = try Resources.certificate("stranger", for: "other.test", slot: 2)
        #expect(try node.take(1, [old]) == nil)
        let none = try node.take(2, [])
        #expect(none?.key == ResourceKey(type: .certificate, name: "old"))
        let other = try node.take(3, [stranger])
        #expect(other?.key == ResourceKey(type: .certificate, name: "old"))
        #expect(other?.reason.contains("mx.example.test") == true)
        #expect(node.certificates == ["certificate/old"])
        #expect(try node.take(4, [old, new]) == nil)
        #expect(try node.take(5, [new, stranger]) == nil)
        #expect(node.certificates == ["certificate/new", "certificate/stranger"])
    }

    @Test("A refused state changes nothing, and the next one counts (control 1, 5)")
    func nothingChanges() throws {
        let node = try Node()
        #expect(try node.take(1, [Resources.domain("a.test")]) == nil)
        let bad = Resources.domain("b.test", version: 2) { $0.nextHop = ControlNextHop() }
        #expect(try node.take(2, [Resources.domain("c.test", version: 2), bad])?.key?.name == "b.test")
        #expect(node.inForce.state.current.policy.domains.keys.map(\.text) == ["a.test"])
        #expect(node.applied.resources.version == 1)
        #expect(try node.take(3, [Resources.domain("c.test", version: 3)]) == nil)
        #expect(node.inForce.state.current.policy.domains.keys.map(\.text) == ["c.test"])
    }

    @Test("A next hop that is the node itself is refused")
    func ownNextHop() throws {
        let fault = try Node().take(
            1, [Resources.domain("a.test") { $0.nextHop = .with { $0.host = "mx.example.test" } }])
        #expect(fault?.key == ResourceKey(type: .domain, name: "a.test"))
    }

    @Test("Certificates that stay the same keep their sessions when domains change")
    func sameCertificates() throws {
        let node = try Node()
        let certificate = try Resources.certificate("mx", for: "mx.example.test")
        #expect(try node.take(1, [certificate]) == nil)
        let store = try #require(node.inForce.state.current.certificates?.store)
        #expect(try node.take(2, [certificate, Resources.domain("a.test")]) == nil)
        #expect(node.inForce.state.current.certificates?.store === store)
        #expect(try node.take(3, [try Resources.certificate("mx", for: "mx.example.test", version: 3)]) == nil)
        #expect(node.inForce.state.current.certificates?.store !== store)
    }
}
