import Foundation
import MailModel
import Testing

@testable import EdgeNode

/// docs/limits.md says what the settings say.
@Suite("The page of limits")
struct LimitsPageTests {
    /// Settings of SMTP that limit nothing.
    private static let others: Set = ["smtp.listeners", "smtp.proxy-networks"]

    /// The default of each setting that has a row.
    private func rows() throws -> [String: String] {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/limits.md")
        let rows = try String(contentsOf: page, encoding: .utf8).split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            return line.hasPrefix("| `") ? (cells[0].trimmingCharacters(in: ["`"]), cells[1]) : nil
        }
        return Dictionary(rows) { first, _ in first }
    }

    @Test("Each setting of SMTP that is a limit stands there with its default, and none that does not exist")
    func complete() throws {
        let rows = try self.rows()
        let defaults = RelaydConfiguration(hostName: "relay.test")
        for setting in ConfigurationSchema.settings where setting.key.hasPrefix("smtp.") {
            guard !Self.others.contains(setting.key) else { continue }
            #expect(rows[setting.key] == setting.render(defaults), "\(setting.key) in docs/limits.md")
        }
        let known = Set(ConfigurationSchema.settings.map(\.key))
        for key in rows.keys { #expect(known.contains(key), "\(key) does not exist") }
    }
}
