import Foundation
import MailModel
import TestLiterals
import Testing

@testable import RelayConfiguration

/// docs/limits.md and docs/policy.md say what the settings say.
@Suite("The pages of limits and policy")
struct LimitsPageTests {
    /// Settings of listening and sending that limit nothing.
    private static let others: Set = [
        "smtp.listeners", "smtp.proxy-networks", "delivery.hostname", "delivery.source-addresses",
        "delivery.address-preference", "delivery.own-addresses", "delivery.allow-loopback", "delivery.port",
        "delivery.sites", "delivery.chunking", "delivery.eight-bit-conversion", "delivery.insecure-mx",
        "smtp.add-missing-fields", "smtp.hide-authenticated-clients",
        "delivery.destinations", "delivery.tls-exceptions",
    ]

    private func text(of page: String) throws -> String {
        let docs = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs")
        return try String(contentsOf: docs.appending(path: page), encoding: .utf8)
    }

    /// The default of each setting that has a row.
    private func rows() throws -> [String: String] {
        let rows = try self.text(of: "limits.md").split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            return line.hasPrefix("| `") ? (cells[0].trimmingCharacters(in: ["`"]), cells[1]) : nil
        }
        return Dictionary(rows) { first, _ in first }
    }

    @Test("Each setting of SMTP that is a limit stands in limits.md with its default, and none that does not exist")
    func complete() throws {
        let rows = try self.rows()
        let defaults = RelaydConfiguration(hostName: "relay.test")
        for setting in ConfigurationSchema.settings where !Self.others.contains(setting.key) {
            guard ["smtp.", "delivery."].contains(where: { setting.key.hasPrefix($0) }) else { continue }
            #expect(rows[setting.key] == setting.render(defaults), "\(setting.key) in docs/limits.md")
        }
        let known = Set(
            ConfigurationSchema.settings.map(\.key) + ControllerConfiguration.schema.settings.map(\.key))
        for key in rows.keys { #expect(known.contains(key), "\(key) does not exist") }
    }

    @Test("Each setting of who may send what, and of when there is no capacity, stands in policy.md")
    func policy() throws {
        let page = try self.text(of: "policy.md")
        let prefixes = ["auth.", "call-ahead.", "queue.max-", "tls.client-certificates", "relay-networks"]
        let keys = ConfigurationSchema.settings.map(\.key).filter { key in
            prefixes.contains { key.hasPrefix($0) }
        }
        #expect(keys.count > prefixes.count)
        for key in keys { #expect(page.contains("`\(key)`") || page.contains("`\(key):"), "\(key) in docs/policy.md") }
    }
}
