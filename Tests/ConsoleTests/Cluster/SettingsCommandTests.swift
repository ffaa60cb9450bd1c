import ControlAPI
import Foundation
import GRPCCore
import MailModel
import SwiftProtobuf
import Testing

@testable import Console

@Suite("Settings that all nodes share, by relayctl", .timeLimit(.minutes(1)))
struct SettingsCommandTests {
    private static let file = """
        relay-networks:
          - "192.0.2.0/24"
        dsn:
          postmaster: "postmaster@alpha.test"
        delivery:
          destinations:
            - domain: "*.bravo.test"
              tls: "dane"
              chunking: false
          tls-exceptions:
            - domain: "old.test"
              reason: "their key is lost"
              until: "2027-01-31"
        tls:
          required: true

        """

    @Test("What `config get` prints is a file that changes nothing")
    func roundTrip() async throws {
        try await ClusterFixture.run { fixture in
            let path = try fixture.write("fleet.yaml", Self.file)
            let set = try await fixture.run { console throws(ConsoleFailure) in
                try await console.setSettings(file: path, ClusterChange())
            }
            #expect(set.failure == nil && set.lines.last == "changed the settings")
            let got = try await fixture.run { console throws(ConsoleFailure) in try await console.showSettings() }
            #expect(got.output == Self.file)
            let again = try fixture.write("again.yaml", got.output)
            let kept = try await fixture.run { console throws(ConsoleFailure) in
                try await console.setSettings(file: again, ClusterChange())
            }
            #expect(kept.output == "the settings are so already\n")
            #expect(fixture.controller.state { $0.reasons.count } == 1)
        }
    }

    @Test("A difference has elements that go and come, by key")
    func difference() async throws {
        try await ClusterFixture.run { fixture in
            let path = try fixture.write("fleet.yaml", Self.file)
            _ = try await fixture.run { console throws(ConsoleFailure) in
                try await console.setSettings(file: path, ClusterChange())
            }
            let other = Self.file.replacing("192.0.2.0/24", with: "198.51.100.0/24").replacing(
                "postmaster@alpha.test", with: "ops@alpha.test")
            let changed = try fixture.write("other.yaml", other)
            let told = try await fixture.run { console throws(ConsoleFailure) in
                try await console.diffSettings(file: changed)
            }
            #expect(
                told.lines == [
                    "relay-networks", "  - \"192.0.2.0/24\"", "  + \"198.51.100.0/24\"", "dsn.postmaster",
                    "  - \"postmaster@alpha.test\"", "  + \"ops@alpha.test\"",
                ])
            let json = try await fixture.run(.json) { console throws(ConsoleFailure) in
                try await console.diffSettings(file: changed)
            }
            #expect(
                (try json.json["differences"] as? [[String: Any]])?.map { $0["key"] as? String } == [
                    "relay-networks", "dsn.postmaster",
                ])
        }
    }

    @Test("Settings of one node do not belong into the file of all (65)")
    func foreign() async throws {
        try await ClusterFixture.run { fixture in
            let path = try fixture.write("fleet.yaml", "smtp: {max-errors: 3}")
            let told = try await fixture.run { console throws(ConsoleFailure) in
                try await console.setSettings(file: path, ClusterChange())
            }
            #expect(told.failure?.status == .badData)
            #expect(told.failure?.description.contains("smtp.max-errors: does not belong here") == true)
        }
    }
}
