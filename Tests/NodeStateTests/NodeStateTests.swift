import Admission
import DeliveryQueue
import MailModel
import RelayConfiguration
import TLSEngine
import TestLiterals
import Testing

@testable import NodeState

/// What a node serves by: how settings become one value.
@Suite("What a node serves by")
struct NodeStateTests {
    private func load(_ yaml: String) throws -> RelaydConfiguration {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return try loader.load().configuration
    }

    private func state(_ yaml: String) throws -> NodeState {
        let settings = try self.load(yaml)
        return try NodeState(settings.stateContent(), LocalState(sites: settings.siteLimits))
    }

    @Test(
        "Of BDAT the destination has the first word, then the rule about its hosts, then delivery.chunking (field C4)")
    func chunking() throws {
        let domains = "destinations: [{domain: on.test, chunking: true}, {domain: off.test, chunking: false}]"
        let sites = "sites: [{mx: mx.on.test, chunking: true}, {mx: mx.off.test, chunking: false}, {mx: mx.else.test}]"
        // Each domain at hosts with a rule that says yes, no, or nothing, and at hosts without a rule.
        let hosts: [DomainName] = ["mx.on.test", "mx.off.test", "mx.else.test", "mx.none.test"]
        for usual in [true, false] {
            let state = try self.state("delivery: {chunking: \(usual), \(domains), \(sites)}")
            func answers(_ domain: DomainName) -> [Bool] {
                hosts.map { state.usesChunking(to: domain, at: state.site(hosts: [$0], configured: nil)) }
            }
            #expect(answers("on.test") == [true, true, true, true])
            #expect(answers("off.test") == [false, false, false, false])
            #expect(answers("other.test") == [true, false, usual, usual])
        }
    }

    @Test("Mail for an accepted domain goes by what its own entry says of BDAT, whatever a rule says of its next hop")
    func acceptedDomainChunking() throws {
        let state = try self.state(
            """
            accepted-domains: [{domain: own.test, next-hop: mx.off.test, chunking: true}]
            delivery: {sites: [{mx: mx.off.test, chunking: false}]}
            """)
        let site = state.site(hosts: ["mx.off.test"], configured: nil)
        #expect(state.usesChunking(to: "own.test", at: site) && !state.usesChunking(to: "other.test", at: site))
    }

    @Test("A state that follows another is told apart from it, and keeps a postmaster whom it does not name itself")
    func following() throws {
        let named = try self.state("dsn: {postmaster: one@ours.test}")
        let next = try self.state("").following(named)
        #expect(next.version == named.version + 1 && next.policy.postmaster == "one@ours.test")
        #expect(try self.state("dsn: {postmaster: two@ours.test}").following(next).policy.postmaster == "two@ours.test")
    }
}
