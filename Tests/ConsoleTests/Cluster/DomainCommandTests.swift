import ControlAPI
import GRPCCore
import SwiftProtobuf
import Testing

@testable import Console

@Suite("Domains by relayctl", .timeLimit(.minutes(1)))
struct DomainCommandTests {
    private static let file = """
        accepted-domains:
          - {domain: alpha.test, next-hop: "mail.alpha.test:2525", tls: dane}
          - {domain: bravo.test, recipients: {file: bravo.txt}}
        """

    @Test("A domain is added once, listed, shown and removed, and what is destructive is asked about")
    func life() async throws {
        try await ClusterFixture.run { fixture in
            let settings = [(key: "next-hop", value: "\"[2001:db8::1]:25\"")]
            let added = try await fixture.run { console throws(ConsoleFailure) in
                try await console.addDomain("Bücher.test", settings: settings, ClusterChange())
            }
            #expect(
                added.lines == [
                    "+ xn--bcher-kva.test: next-hop [2001:db8::1]:25, recipients any", "added 1, changed 0, kept 0",
                ])
            let again = try await fixture.run { console throws(ConsoleFailure) in
                try await console.addDomain("Bücher.test", settings: settings, ClusterChange())
            }
            #expect(again.failure?.status == .badData)
            #expect(again.failure?.description == "domain xn--bcher-kva.test exists already, in version 2")
            let shown = try await fixture.run(.json) { console throws(ConsoleFailure) in
                try await console.showDomain("bücher.test")
            }
            #expect(try shown.json["schema"] as? String == "relayctl/v1" && shown.json["version"] as? Int == 2)
            #expect(try shown.json["next_hop"] as? String == "[2001:db8::1]:25")
            let alone = try await fixture.run { console throws(ConsoleFailure) in
                try await console.removeDomain("bücher.test", ClusterChange())
            }
            #expect(alone.failure?.status == .usage)
            let removed = try await fixture.run(answer: true) { console throws(ConsoleFailure) in
                try await console.removeDomain("bücher.test", ClusterChange())
            }
            #expect(removed.failure == nil && removed.asked.count == 1)
            let none = try await fixture.run { console throws(ConsoleFailure) in
                try await console.showDomain("bücher.test")
            }
            #expect(none.failure?.status == .badData)
        }
    }

    @Test("A file is applied with its difference printed, and again it changes nothing")
    func apply() async throws {
        try await ClusterFixture.run { fixture in
            let path = try fixture.write("domains.yaml", Self.file)
            _ = try fixture.write("bravo.txt", "bob\n# nobody\nBob\nalice\n")
            var dry = ClusterChange()
            dry.isDryRun = true
            let planned = try await fixture.run { [dry] console throws(ConsoleFailure) in
                try await console.applyDomains(file: path, dry)
            }
            #expect(planned.lines.last == "would have added 2, changed 0, kept 0")
            #expect(fixture.controller.state { $0.domains.isEmpty })
            let applied = try await fixture.run { console throws(ConsoleFailure) in
                try await console.applyDomains(file: path, ClusterChange())
            }
            #expect(
                applied.lines == [
                    "+ alpha.test: next-hop mail.alpha.test:2525, recipients any, tls dane",
                    "+ bravo.test: next-hop mx, recipients list, listed 2", "added 2, changed 0, kept 0",
                ])
            #expect(fixture.controller.state { $0.lists["bravo.test"] } == ["bob", "alice"])
            #expect(fixture.controller.state { $0.domains["bravo.test"]?.domain.recipientVerification } == .list)
            let version = fixture.controller.state { $0.version }
            let again = try await fixture.run { console throws(ConsoleFailure) in
                try await console.applyDomains(file: path, ClusterChange())
            }
            #expect(again.lines == ["added 0, changed 0, kept 2"])
            #expect(fixture.controller.state { $0.version } == version)
        }
    }

    @Test("A difference has each key that changes; of a list of the same length, that it differs")
    func difference() async throws {
        try await ClusterFixture.run { fixture in
            let path = try fixture.write("domains.yaml", Self.file)
            _ = try fixture.write("bravo.txt", "bob\nalice\n")
            _ = try await fixture.run { console throws(ConsoleFailure) in
                try await console.applyDomains(file: path, ClusterChange())
            }
            _ = try fixture.write("bravo.txt", "bob\ncarol\n")
            _ = try fixture.write(
                "domains.yaml", Self.file.replacing("tls: dane", with: "chunking: false").replacing(":2525", with: ""))
            let applied = try await fixture.run { console throws(ConsoleFailure) in
                try await console.applyDomains(file: path, ClusterChange())
            }
            #expect(
                applied.lines == [
                    "~ alpha.test: next-hop mail.alpha.test:2525 -> mail.alpha.test:25", "~ alpha.test: tls dane -> -",
                    "~ alpha.test: chunking - -> false", "~ bravo.test: other recipients", "added 0, changed 2, kept 0",
                ])
        }
    }

    @Test("Who was overtaken hears both versions (75)")
    func conflict() async throws {
        try await ClusterFixture.run { fixture in
            let path = try fixture.write("domains.yaml", "accepted-domains: [{domain: alpha.test}]")
            _ = try await fixture.run { console throws(ConsoleFailure) in
                try await console.applyDomains(file: path, ClusterChange())
            }
            _ = try fixture.write("domains.yaml", "accepted-domains: [{domain: alpha.test, next-hop: other.test}]")
            fixture.controller.state { $0.isOvertaken = true }
            let applied = try await fixture.run { console throws(ConsoleFailure) in
                try await console.applyDomains(file: path, ClusterChange())
            }
            #expect(applied.failure?.status == .temporary)
            #expect(
                applied.failure?.description
                    == "domain alpha.test: the change was made on version 2, and it has version 12 now; look at it, and try again"
            )
        }
    }

    @Test(
        "A file with a slip is refused with its line (65)",
        arguments: [
            ("accepted-domains:\n  - {domain: a.test, next-hopp: b.test}", "2: accepted-domains[0].next-hopp"),
            ("relay-networks: [192.0.2.0/24]", "does not belong here"), ("accepted-domains: [{}]", "domain is missing"),
        ])
    func slips(_ text: String, _ words: String) async throws {
        try await ClusterFixture.run { fixture in
            let path = try fixture.write("domains.yaml", text)
            let told = try await fixture.run { console throws(ConsoleFailure) in
                try await console.applyDomains(file: path, ClusterChange())
            }
            #expect(told.failure?.status == .badData && told.failure?.description.contains(words) == true, "\(told)")
        }
    }

    @Test("A list of any length is one document, or a line for each", arguments: OutputFormat.allCases)
    func list(_ format: OutputFormat) async throws {
        try await ClusterFixture.run { fixture in
            fixture.controller.state { state in
                for name in ["a.test", "b.test", "c.test", "d.test", "e.test"] {
                    state.domains[name] = .with {
                        $0.domain.name = name
                        $0.version = 3
                    }
                }
            }
            let told = try await fixture.run(format) { console throws(ConsoleFailure) in
                try await console.listDomains()
            }
            switch format {
            case .table: #expect(told.lines.count == 6 && told.lines[0].hasPrefix("DOMAIN  NEXT-HOP"))
            case .json: #expect((try told.json["domains"] as? [Any])?.count == 5)
            case .jsonl:
                #expect(told.lines.count == 5 && told.lines[4].contains("\"domain\":\"e.test\",\"version\":3"))
            case .yaml:
                #expect(told.lines.first == "schema: \"relayctl/v1\"" && told.lines.contains("  - domain: \"e.test\""))
            }
        }
    }

    @Test("Parts of a list are cut where a message would be too large, and a list without any has one")
    func parts() {
        #expect(ClusterConsole.parts([]) == [[]])
        let many = (0..<100_000).map { "recipient-\($0)" }
        let parts = ClusterConsole.parts(many)
        #expect(parts.count > 1 && parts.flatMap(\.self) == many)
        #expect(parts.allSatisfy { $0.reduce(0) { $0 + $1.utf8.count + 3 } <= 512 << 10 })
    }
}
