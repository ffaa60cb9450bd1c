import Admission
import DeliveryQueue
import MailModel
import NodeState
import RelayConfiguration
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

/// Which settings a reload takes over.
@Suite("Reloaded settings")
struct ReloadedSettingsTests {
    private func load(_ yaml: String) throws -> RelaydConfiguration {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return try loader.load().configuration
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
              - {domain: hop.test, next-hop: "[192.0.2.1]:26", tls: encrypt, recipients: {file: /list}}
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
        let bob = RecipientList(["bob"])
        let settings = old.reloaded(taking: new)
        let state = try NodeState(
            settings.stateContent(lists: ["hop.test": bob]), LocalState(sites: settings.siteLimits))
        let policy = state.policy
        #expect(policy.domains.mapValues(\.verification) == ["hop.test": .list(bob), "asked.test": .callAhead])
        let hop = try #require(IPAddress("192.0.2.1"))
        #expect(policy.hasNextHop("hop.test") && policy.hasNextHop(at: hop) && !policy.hasNextHop("asked.test"))
        #expect(policy.mayRelay(ClientIdentity(hop)) && !policy.mayRelay(ClientIdentity(.loopback)))
        #expect(policy.postmaster == "one@ours.test")
        let now = Timestamp(seconds: 0)
        let owed = ["hop.test", "owed.test", "stale.test", "gone.test"] as [DomainName]
        #expect(
            owed.map { state.transport(to: $0, at: now) } == [.encrypt, .dane, .excepted, .opportunistic])
        var slow = SiteLimit(connections: 2, messagesPerMinute: 4)
        slow.usesChunking = false
        #expect(state.sites[state.site(hosts: ["mx.slow.test"], configured: nil)] == slow)
        #expect(state.sites[.hosts(["mx.other.test"])].connections == 3)
        #expect(old.keysWaiting(forRestartWith: new) == ["delivery.max-connections", "dsn.postmaster"])
        #expect(old.keysWaiting(forRestartWith: old).isEmpty)
    }

    @Test("To begin and to cease to offer STARTTLS and AUTH, and to recognise clients, waits for no restart")
    func withoutCertificates() throws {
        let clients = "client-certificates: {ca-file: /clients}"
        let full = try self.load(
            "tls: {certificates: [{certificate: /one, key: /one}], \(clients)}\nauth: {users-file: /users}")
        let bare = try self.load("tls: {required: false}")
        for (old, new) in [(full, bare), (bare, full)] {
            #expect(old.keysWaiting(forRestartWith: new) == [])
            #expect(old.reloaded(taking: new) == new)
        }
    }
}
