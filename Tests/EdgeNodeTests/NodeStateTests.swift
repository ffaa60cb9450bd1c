import Admission
import DeliveryQueue
import MailModel
import RelayConfiguration
import TLSEngine
import Testing
import TransportSecurity

@testable import EdgeNode

/// What a node serves by: how settings become one value, and what of them a reload takes over.
@Suite("What a node serves by")
struct NodeStateTests {
    private func load(_ yaml: String) throws -> RelaydConfiguration {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return try loader.load().configuration
    }

    private func state(_ yaml: String) throws -> NodeState {
        try self.load(yaml).nodeState([:], try TLSClientContext())
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

    @Test("A reload takes domains, networks, lists, rules and limits of sites; the rest stays as it was at the start")
    func reloaded() throws {
        let old = try self.load(
            """
            accepted-domains: [{domain: gone.test}]
            tls: {certificates: [{certificate: /one, key: /one}]}
            dsn: {postmaster: one@ours.test}
            """)
        let new = try self.load(
            """
            accepted-domains:
              - {domain: hop.test, next-hop: "[192.0.2.1]:26", tls: encrypt}
              - {domain: asked.test, recipients: call-ahead}
            relay-networks: [192.0.2.0/24]
            tls: {certificates: [{certificate: /other, key: /other}], client-certificates: {ca-file: /clients}}
            dsn: {postmaster: two@ours.test}
            delivery:
              chunking: false
              max-connections: 7
              max-connections-per-site: 3
              site-rate: 4
              sites: [{mx: mx.slow.test, max-connections: 2}]
              destinations: [{domain: owed.test, tls: dane}]
              tls-exceptions: [{domain: stale.test, reason: stale, until: 2999-01-01}]
            """)
        let (bob, tls) = (RecipientList(["bob"]), try TLSClientContext())
        let current = try old.nodeState([:], tls)
        let state = try ReplaceableParts.state(old, taking: new, ["hop.test": bob], tls, current: current)
        #expect(state.version == current.version + 1)
        let policy = state.policy
        #expect(policy.verification == ["hop.test": .list(bob), "asked.test": .callAhead])
        #expect(Set(policy.acceptedDomains.keys) == ["hop.test", "asked.test"])
        let hop = try #require(IPAddress("192.0.2.1"))
        #expect(policy.hasNextHop("hop.test") && policy.hasNextHop(at: hop) && !policy.hasNextHop("asked.test"))
        #expect(policy.mayRelay(ClientIdentity(hop)) && !policy.mayRelay(ClientIdentity(.loopback)))
        #expect(policy.postmaster == "one@ours.test")
        let now = Timestamp(seconds: 0)
        let owed = ["hop.test", "owed.test", "stale.test", "gone.test"] as [DomainName]
        #expect(
            owed.map { state.destinations.transport(to: $0, at: now) } == [.encrypt, .dane, .excepted, .opportunistic])
        var slow = SiteLimit(connections: 2, messagesPerMinute: 4)
        slow.usesChunking = false
        #expect(state.sites[state.site(hosts: ["mx.slow.test"], configured: nil)] == slow)
        #expect(state.sites[.hosts(["mx.other.test"])].connections == 3)
        #expect(ReplaceableParts.waiting(from: old, to: new) == ["delivery.max-connections", "dsn.postmaster"])
        #expect(ReplaceableParts.waiting(from: old, to: old).isEmpty)
    }

    @Test(
        "Where certificates are served no more after the next start, the clients that are recognised wait for it, too")
    func clientsWithoutCertificates() throws {
        let served = "certificates: [{certificate: /one, key: /one}]"
        let old = try self.load("tls: {\(served), client-certificates: {ca-file: /clients}}")
        let emptied = try self.load("tls: {required: false}")
        let waiting = ReplaceableParts.waiting(from: old, to: emptied)
        #expect(waiting.contains("tls.certificates") && waiting.contains { $0.hasPrefix("tls.client-certificates") })
        #expect(
            ReplaceableParts.configuration(old, taking: emptied).tls.clientCertificates == old.tls.clientCertificates)
        let changed = try self.load("tls: {\(served), client-certificates: {ca-file: /others}}")
        #expect(ReplaceableParts.waiting(from: old, to: changed).isEmpty)
    }
}
