import MailModel
import TestLiterals
import Testing

@testable import RelayConfiguration

/// What receiving hosts owe, as the settings may say it.
@Suite("Settings of owed TLS")
struct TransportSettingsTests {
    private func loaded(_ yaml: String) throws -> LoadedConfiguration {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return try loader.load()
    }

    private func problem(_ yaml: String) -> String {
        do {
            _ = try self.loaded(yaml)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test(
        "What cannot be kept is refused, with the domain",
        arguments: [
            ("{domain: a.test, next-hop: 192.0.2.1, tls: dane}", "a.test: tls: dane needs a next hop with a name"),
            ("{domain: a.test, next-hop: 192.0.2.1, tls: verify}", "a.test: tls: verify needs tls-name"),
            ("{domain: a.test, tls: verify}", "a.test: tls: verify needs tls-name"),
            (
                "{domain: a.test, tls: encrypt, tls-name: b.test}",
                "a.test: tls-name and tls-ca-file are for tls: verify"
            ),
            ("{domain: a.test, tls-ca-file: /x}", "a.test: tls-name and tls-ca-file are for tls: verify"),
            ("{domain: a.test, tls: may}", "expected one of opportunistic, encrypt, dane, verify"),
        ])
    func refused(_ entry: String, _ complaint: String) {
        #expect(self.problem("accepted-domains: [\(entry)]").contains("accepted-domains"))
        #expect(self.problem("accepted-domains: [\(entry)]").contains(complaint))
    }

    @Test("A rule by domain that an address cannot keep, or without a name, is refused")
    func refusedRules() {
        let address = "accepted-domains: [{domain: a.test, next-hop: 192.0.2.1}]\n"
        let dane = "delivery: {destinations: [{domain: a.test, tls: dane}]}"
        #expect(self.problem(address + dane).contains("a.test: tls: dane needs a next hop with a name"))
        #expect(self.problem(dane) == "none")
        let unnamed = "delivery: {destinations: [{domain: \"*.a.test\", tls: verify}]}"
        #expect(self.problem(unnamed).contains("delivery.destinations: *.a.test: tls: verify needs tls-name"))
    }

    @Test("What is shown loads as the same settings")
    func shown() throws {
        let configuration = try self.loaded(
            """
            accepted-domains: [{domain: a.test, next-hop: mail.a.test, tls: verify, tls-ca-file: /etc/ca.pem, chunking: false}]
            delivery:
              destinations: [{domain: "*.b.test", tls: verify, tls-name: mx.b.test}, {domain: c.test, chunking: true}]
              tls-exceptions: [{domain: "*.d.test", reason: "stale, ticket 7", until: 2028-02-29}]
            """
        ).configuration
        #expect(try self.loaded(ConfigurationText.defaults(configuration)).configuration == configuration)
        #expect(ConfigurationText.defaults(configuration).contains("stale, ticket 7"))
    }
}
