import ClusterModel
import ControlAPI
import Cryptography
import Foundation
import GRPCCore
import MailModel
import OperatingSystem
import SwiftProtobuf
import Testing

@testable import Console

@Suite("Users, certificates, nodes and the authority by relayctl", .timeLimit(.minutes(1)))
struct MemberCommandTests {
    private static func set(
        _ fixture: ClusterFixture, _ action: UserChange, _ password: String
    ) async throws -> ClusterFixture.Transcript {
        try await fixture.run { console throws(ConsoleFailure) in
            try await console.setUser("bob", action, ClusterChange()) { Array(password.utf8) }
        }
    }

    @Test("A user is added once, gets another password, and only hashes travel")
    func users() async throws {
        try await ClusterFixture.run { fixture in
            let early = try await Self.set(fixture, .passwd, "first")
            #expect(early.failure == ConsoleFailure(.badData, "there is no user bob"))
            #expect(try await Self.set(fixture, .add, "first").output == "added user bob\n")
            let hash = try #require(PasswordHash(fixture.controller.state { $0.hashes["bob"] } ?? ""))
            #expect(hash.matches(Array("first".utf8)))
            let again = try await Self.set(fixture, .add, "second")
            #expect(again.failure == ConsoleFailure(.badData, "user bob exists already, in version 2"))
            #expect(try await Self.set(fixture, .passwd, "second").output == "changed the password of bob\n")
            let other = try #require(PasswordHash(fixture.controller.state { $0.hashes["bob"] } ?? ""))
            #expect(other.matches(Array("second".utf8)))
            let removed = try await fixture.run(answer: false) { console throws(ConsoleFailure) in
                try await console.removeUser("bob", ClusterChange())
            }
            #expect(removed.failure?.status == .failed && removed.asked.count == 1)
            let listed = try await fixture.run(.json) { console throws(ConsoleFailure) in try await console.listUsers()
            }
            #expect((try listed.json["users"] as? [[String: Any]])?.first?["version"] as? Int == 3)
        }
    }

    /// Writes a certificate with its key; the paths.
    private static func files(_ fixture: ClusterFixture, key: PrivateKey? = nil) throws -> CertificateImport {
        let own = try PrivateKey(.p256)
        let certificate = try fixture.controller.authority.issue(
            CertificateRequest(
                commonName: "mx.alpha.test", dnsNames: ["mx.alpha.test"], notBefore: .systemNow + .seconds(-60),
                notAfter: .systemNow + .seconds(86_400 * 60)), key: own)
        return CertificateImport(
            name: "mx", chainFile: try fixture.write("chain.pem", certificate.pem),
            keyFile: try fixture.privateFile("key.pem", (key ?? own).pem))
    }

    @Test("A certificate is imported and replaced, and shown without its key")
    func certificates() async throws {
        try await ClusterFixture.run { fixture in
            let wanted = try Self.files(fixture)
            var dry = ClusterChange()
            dry.isDryRun = true
            let planned = try await fixture.run { [dry] console throws(ConsoleFailure) in
                try await console.importCertificate(wanted, dry)
            }
            #expect(planned.lines.first == "would have added certificate mx")
            #expect(planned.output.contains("mx.alpha.test") && fixture.controller.state { $0.certificates.isEmpty })
            for verb in ["added", "replaced"] {
                let told = try await fixture.run { console throws(ConsoleFailure) in
                    try await console.importCertificate(wanted, ClusterChange())
                }
                #expect(told.lines.first == "\(verb) certificate mx")
            }
            let shown = try await fixture.run(.json) { console throws(ConsoleFailure) in
                try await console.showCertificate("mx")
            }
            #expect(try shown.json["state"] as? String == "valid" && !shown.output.contains("PRIVATE KEY"))
            #expect(try shown.json["dns_names"] as? [String] == ["mx.alpha.test"])
        }
    }

    @Test("A key that is another certificate's does not travel (65)")
    func mismatch() async throws {
        try await ClusterFixture.run { fixture in
            let wanted = try Self.files(fixture, key: try PrivateKey(.p256))
            let told = try await fixture.run { console throws(ConsoleFailure) in
                try await console.importCertificate(wanted, ClusterChange())
            }
            #expect(
                told.failure?.status == .badData && told.failure?.description.contains("the key is not that") == true)
            #expect(fixture.controller.state { $0.reasons.isEmpty })
        }
    }

    @Test("A token goes to standard output alone, and what it permits to standard error")
    func token() async throws {
        try await ClusterFixture.run { fixture in
            let wanted = TokenRequest(pattern: "mx*.alpha.test", role: .node, lifetime: .seconds(7200), uses: 3)
            let told = try await fixture.run { console throws(ConsoleFailure) in
                try await console.makeToken(wanted, ClusterChange())
            }
            #expect(JoinToken(told.output.trimmingCharacters(in: .newlines)) == fixture.controller.token)
            #expect(told.said == ["made a token for 3 nodes named mx*.alpha.test, until 2030-03-17T17:46:40.000Z"])
            let asked = fixture.controller.state { $0.tokens }
            #expect(asked.first?.uses == 3 && asked.first?.lifetime.seconds == 7200 && asked.first?.role == .node)
            let slip = try await fixture.run { console throws(ConsoleFailure) in
                try await console.makeToken(
                    TokenRequest(pattern: "a*b*", role: .node, lifetime: nil, uses: 1), ClusterChange())
            }
            #expect(slip.failure?.status == .usage)
        }
    }

    @Test("Nodes and people are revoked, after a question")
    func revoke() async throws {
        try await ClusterFixture.run { fixture in
            for role in [ClusterRole.node, .viewer] {
                let told = try await fixture.run(answer: true) { console throws(ConsoleFailure) in
                    try await console.revoke("carol", role, ClusterChange())
                }
                #expect(told.failure == nil && told.asked.first?.hasPrefix("revoke \(role.rawValue) carol") == true)
            }
            #expect(fixture.controller.state { $0.revoked } == ["node/carol", "viewer/carol"])
        }
    }

    @Test("A node's difference names desired, sent, acknowledged and served")
    func difference() async throws {
        try await ClusterFixture.run { fixture in
            fixture.controller.state {
                $0.nodes = [
                    .with {
                        $0.name = "mx1.alpha.test"
                        $0.status = .behind
                        $0.clockOffset = .init(seconds: -3, nanos: -200_000_000)
                    }
                ]
            }
            let told = try await fixture.run { console throws(ConsoleFailure) in
                try await console.diffNode("mx1.alpha.test")
            }
            #expect(
                told.lines == [
                    "mx1.alpha.test: behind; desired 1, sent 1, acknowledged 0, served 0",
                    "RESOURCE           DESIRED  SERVED",
                    "domain/alpha.test  1        -",
                ])
            let shown = try await fixture.run(.json) { console throws(ConsoleFailure) in
                try await console.showNode("mx1.alpha.test")
            }
            #expect(try shown.json["clock_offset_ms"] as? Int == -3200)
            let none = try await fixture.run { console throws(ConsoleFailure) in try await console.showNode("x") }
            #expect(none.failure?.status == .badData)
        }
    }

    @Test("A rotation takes one step at a time, or with waiting all of them, each behind its barrier (control 14)")
    func rotation() async throws {
        try await ClusterFixture.run { fixture in
            var change = ClusterChange()
            change.isConfirmed = true
            let one = try await fixture.run { [change] console throws(ConsoleFailure) in
                try await console.rotateAuthority(change)
            }
            #expect(one.output == "gone from settled to trusting-both\n")
            fixture.controller.state { $0.authority.waitingFor = ["node-a", "node-b"] }
            let early = try await fixture.run { [change] console throws(ConsoleFailure) in
                try await console.rotateAuthority(change)
            }
            #expect(early.failure == ConsoleFailure(.failed, "the step waits for node-b"))
            fixture.controller.state {
                $0.authority.phase = .settled
                $0.authority.waitingFor = []
            }
            change.wait = .seconds(30)
            let whole = try await fixture.run { [change] console throws(ConsoleFailure) in
                try await console.rotateAuthority(change)
            }
            #expect(
                whole.said == ["settled -> trusting-both", "trusting-both -> issuing-new", "issuing-new -> settled"])
        }
    }

    @Test("The audit is read page by page, the latest first, as far as is wanted")
    func audit() async throws {
        try await ClusterFixture.run { fixture in
            for (limit, ids) in [(0, [5, 4, 3, 2, 1]), (2, [5, 4])] {
                let told = try await fixture.run(.json) { console throws(ConsoleFailure) in
                    try await console.audit(object: "domain/x.test", limit: limit)
                }
                let entries = try #require(try told.json["entries"] as? [[String: Any]])
                #expect(entries.map { $0["id"] as? Int } == ids)
                #expect(entries[0]["object"] as? String == "domain/x.test" && entries[0]["before"] is NSNull)
            }
        }
    }

    @Test("Every change carries its reason")
    func reasons() async throws {
        try await ClusterFixture.run { fixture in
            var change = ClusterChange()
            change.reason = "ticket 7"
            _ = try await fixture.run { [change] console throws(ConsoleFailure) in
                try await console.addDomain("alpha.test", settings: [], change)
            }
            #expect(fixture.controller.state { $0.reasons } == ["ticket 7"])
        }
    }
}

extension ClusterFixture {
    /// Writes a file that is closed to others; its path.
    func privateFile(_ name: String, _ text: String) throws -> String {
        let path = try self.write(name, text)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return path
    }
}
