import ClusterModel
import MailModel
import TestLiterals
import Testing

@testable import RelayConfiguration

@Suite("Settings of a node that follows a controller")
struct FollowedControllerTests {
    private let token: JoinToken

    init() throws {
        self.token = JoinToken(
            cluster: try #require(ClusterName("lab")), authority: [UInt8](repeating: 1, count: 32),
            secret: [UInt8](repeating: 2, count: 24))
    }

    private func load(
        _ yaml: String, mode: String? = nil, flags: [String] = []
    ) throws(ConfigurationError) -> LoadedConfiguration {
        var loader = ConfigurationLoader(hostName: "mx.example")
        loader.file = SettingsFile(path: "relayd.yaml", text: yaml, exposedMode: mode)
        loader.flags = flags
        return try loader.load()
    }

    private func problems(_ yaml: String, mode: String? = nil, flags: [String] = []) -> [String] {
        do throws(ConfigurationError) {
            _ = try self.load(yaml, mode: mode, flags: flags)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test(
        "What the controller has must not be set beside it, whatever the value, and its place is told",
        arguments: [
            "accepted-domains: []", "tls: {certificates: []}", "tls: {required: true}", "auth: {users-file: null}",
            "relay-networks: []", "delivery: {destinations: []}", "delivery: {tls-exceptions: []}",
            "dsn: {postmaster: null}",
        ])
    func misplaced(_ line: String) {
        let found = self.problems("\(line)\ncontrol: {addresses: ['controller.example:9443']}")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("relayd.yaml:1: ") == true, "\(found)")
        #expect(found.first?.contains("is the controller's where control.addresses is set") == true)
        #expect(self.problems(line) == [])
    }

    @Test("What is the node's own may be set beside a controller, and a flag is as good a place as any")
    func own() {
        let control = "control: {addresses: ['controller.example:9443']}"
        #expect(self.problems("\(control)\nsmtp: {max-connections: 10}\ntls: {client-certificates: {}}") == [])
        #expect(
            self.problems(control, flags: ["relay-networks=[]"]).first?.hasPrefix("flag --set: relay-networks") == true)
    }

    @Test("Addresses are hosts or addresses with a port")
    func addresses() throws {
        let yaml = "control: {addresses: ['controller.example:9443', '192.0.2.1:1', '[2001:db8::1]:65535']}"
        let addresses = try self.load(yaml).configuration.control.addresses
        #expect(addresses.map(\.host) == ["controller.example", "192.0.2.1", "2001:db8::1"])
        #expect(addresses.map { "\($0)" } == ["controller.example:9443", "192.0.2.1:1", "[2001:db8::1]:65535"])
        for wrong in ["controller.example", "controller.example:0", "192.0.2.999:1", ":9443", "::1:9443:"] {
            #expect(self.problems("control: {addresses: ['\(wrong)']}").count == 1, "\(wrong)")
        }
    }

    @Test("A join token is a secret: no text shows it, and no file that others can read may hold it (control 11)")
    func tokenIsSecret() throws {
        let yaml = "control: {join-token: '\(self.token.text)'}"
        let loaded = try self.load(yaml)
        #expect(loaded.configuration.control.joinToken == self.token)
        #expect(!ConfigurationText.effective(loaded).contains(self.token.text))
        #expect(self.problems(yaml, mode: "0644").first?.contains("holds a join token") == true)
        let wrong = self.problems("control: {join-token: '\(self.token.text)x'}")
        #expect(wrong.count == 1 && wrong.first?.contains("0202") == false)
    }

    @Test("What is shown of the settings says what the controller has")
    func shown() throws {
        let line = "# the controller (controller.example:9443); what stands here does not count"
        let with = ConfigurationText.effective(try self.load("control: {addresses: ['controller.example:9443']}"))
        #expect(with.contains("\(line)\naccepted-domains:") && with.contains("\(line)\n  users-file:"))
        #expect(!ConfigurationText.effective(try self.load("")).contains("the controller"))
    }
}
