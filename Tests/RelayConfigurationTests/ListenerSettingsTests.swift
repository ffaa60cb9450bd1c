import MailModel
import TestLiterals
import Testing

@testable import RelayConfiguration

@Suite("Listeners and their addresses")
struct ListenerSettingsTests {
    private func load(_ listeners: String) throws -> RelaydConfiguration.SMTP {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: "smtp: {listeners: [\(listeners)]}")
        return try loader.load().configuration.smtp
    }

    private func problems(_ listeners: String) -> String {
        do {
            _ = try self.load(listeners)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("Listeners without a name get different ones, whatever the others are called")
    func names() throws {
        let names = try self.load(
            "{address: '127.0.0.1:25'}, {address: '127.0.0.2:25', name: smtp-2}, {address: '127.0.0.3:25'}"
        ).listeners.map(\.name)
        #expect(names == ["smtp", "smtp-2", "smtp-3"])
        #expect(
            self.problems("{address: '127.0.0.1:25', name: a}, {address: '127.0.0.2:25', name: a}").contains("name"))
    }

    @Test("0.0.0.0 beside [::] works: the one at [::] leaves IPv4 to the other; alone it takes both")
    func families() throws {
        let both = try self.load("{address: '0.0.0.0:25'}, {address: '[::]:25'}, {address: '[::]:587'}")
        #expect(both.listeners.map(both.leavesIPv4ToAnother) == [false, true, false])
    }

    @Test(
        "Two listeners at one address are a mistake",
        arguments: [
            ("127.0.0.1:25", "127.0.0.1:25"), ("0.0.0.0:25", "127.0.0.1:25"), ("[::1]:25", "[::]:25"),
        ])
    func overlap(_ one: String, _ other: String) {
        let problem = self.problems("{address: '\(one)'}, {address: '\(other)'}")
        #expect(problem.hasSuffix("smtp.listeners: [0] \(one) and [1] \(other) are in each other's way"), "\(problem)")
        #expect(self.problems("{address: '127.0.0.1:25'}, {address: '127.0.0.1:587'}") == "")
    }
}
