import Admission
import MailModel
import TestLiterals
import Testing

@testable import RelayConfiguration

/// The settings that say who may send what.
@Suite("Settings of policy")
struct PolicySettingsTests {
    private func loaded(_ yaml: String) throws -> RelaydConfiguration {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return try loader.load().configuration
    }

    private func problem(_ yaml: String) -> String {
        do {
            _ = try self.loaded(yaml)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test("Recipients are any, asked about, or of a file")
    func recipients() throws {
        let configuration = try self.loaded(
            """
            accepted-domains:
              - {domain: a.example}
              - {domain: b.example, recipients: any}
              - {domain: c.example, recipients: call-ahead}
              - {domain: d.example, recipients: {file: /etc/relayd/d}}
            """)
        #expect(configuration.acceptedDomains.map(\.recipients) == [.any, .any, .callAhead, .file("/etc/relayd/d")])
    }

    @Test(
        "Anything else is refused with its line",
        arguments: ["none", "{path: /x}", "{file: /x, and: y}", "{file: [a]}", "[any]", "''"])
    func badRecipients(_ value: String) {
        let problem = self.problem("accepted-domains:\n  - {domain: a.example, recipients: \(value)}\n")
        #expect(
            problem.hasPrefix("relayd.yaml:2: accepted-domains[0].recipients: expected any, call-ahead"), "\(problem)")
    }

    @Test("All addresses in two halves are refused as one network of all is, and only the half that is open is told")
    func halves() {
        let problem = self.problem("relay-networks: [0.0.0.0/1, 128.0.0.0/1, '2001:db8::/32']")
        #expect(
            problem.contains(
                "relay-networks: these networks together hold 100% of all IPv4 addresses of hosts: anyone"),
            "\(problem)")
        #expect(!problem.contains("IPv6"))
        #expect(self.problem("relay-networks: [128.0.0.0/3, 10.0.0.0/8, 192.168.0.0/16]") == "none")
        let whole = self.problem("relay-networks: [0.0.0.0/0, 0.0.0.0/1]")
        #expect(whole.contains("0.0.0.0/0 is every address") && !whole.contains("together"))
    }

    @Test("A fingerprint is 64 digits, as `openssl x509 -fingerprint` prints them or in one piece")
    func fingerprints() throws {
        let plain = String(repeating: "0aF9", count: 16)
        let fingerprint = try #require(SHA256Fingerprint(plain))
        #expect(fingerprint.bytes == Array(repeating: [0x0a, 0xf9], count: 16).flatMap(\.self))
        #expect(SHA256Fingerprint("\(fingerprint)") == fingerprint)
        #expect("\(fingerprint)".hasPrefix("0a:f9:0a:"))
        for wrong in ["", "0" + plain, plain + "00", plain.replacing("9", with: "g"), "0:" + plain, "\(fingerprint):"] {
            #expect(SHA256Fingerprint(wrong) == nil, "\(wrong)")
        }
    }

    @Test("Users and client certificates need TLS")
    func withoutTLS() {
        #expect(self.problem("auth: {users-file: /x}").contains("auth.users-file: needs TLS"))
        let problem = self.problem("tls: {client-certificates: {ca-file: /x}}")
        #expect(problem.contains("tls.client-certificates: needs TLS"))
    }

    @Test("A postmaster at the node itself would send his mail in circles: it is refused unless the domain is accepted")
    func postmaster() throws {
        let loop = "node: {name: edge.example}\ndsn: {postmaster: admin@edge.example}\n"
        #expect(self.problem(loop).contains("dsn.postmaster: edge.example is this node itself"))
        let accepted = "accepted-domains: [{domain: edge.example, next-hop: mail.example}]\n"
        #expect(try self.loaded(loop + accepted).postmaster == "admin@edge.example")
        #expect(try self.loaded("node: {name: edge.example}\n" + accepted).postmaster == "postmaster@edge.example")
        #expect(try self.loaded("node: {name: edge.example}").postmaster == nil)
        #expect(try self.loaded("dsn: {postmaster: admin@else.example}").postmaster == "admin@else.example")
    }

    @Test("With a limit on the database, bodies on their way in and the trace have a quarter of it at most (field A5)")
    func stagingOfDatabase() {
        var configuration = RelaydConfiguration(hostName: "relay.test")
        #expect(configuration.stagedBytes == 1 << 30)
        #expect(configuration.traceBytes == 10 << 30)
        configuration.queue.maxDatabaseSize = ByteCount(60 << 20)
        #expect(configuration.traceBytes == 15 << 20)
        #expect(configuration.stagedBytes == 15 << 20)
        configuration.queue.maxStagedBytes = ByteCount(0)
        #expect(configuration.stagedBytes == 15 << 20)
        configuration.queue.maxDatabaseSize = ByteCount(0)
        #expect(configuration.stagedBytes == 0)
    }
}
