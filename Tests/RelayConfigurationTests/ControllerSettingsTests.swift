import MailModel
import TestLiterals
import Testing

@testable import RelayConfiguration

@Suite("Settings of the controller")
struct ControllerSettingsTests {
    private static let key = String(repeating: "0123456789abcdef", count: 4)

    private func loader(_ yaml: String = "", mode: String? = nil) -> SettingsLoader<ControllerConfiguration> {
        var loader = SettingsLoader<ControllerConfiguration>(hostName: "controller.example")
        loader.file = SettingsFile(path: "relay-controller.yaml", text: yaml, exposedMode: mode)
        return loader
    }

    private func problems(_ loader: SettingsLoader<ControllerConfiguration>) -> [String] {
        do {
            _ = try loader.load()
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("The printed defaults are the defaults, and each key is told with a name of its own in the environment")
    func defaults() throws {
        let defaults = try self.loader().load().configuration
        let printed = ConfigurationText.defaults(defaults)
        #expect(try self.loader(printed).load().configuration == defaults)
        let keys = ConfigurationText.keys(of: ControllerConfiguration.self)
        #expect(keys.contains { $0.variable == "RELAY_CONTROLLER_DATABASE_POOL_SIZE" && $0.defaultValue == "8" })
        #expect(keys.first { $0.name == "controller.name" }?.defaultValue == "made from the name of the machine")
        #expect(Set(keys.map(\.variable)).count == keys.count && keys.count > 15)
    }

    @Test("Only the controller's own variables count, and a slip in one is a mistake")
    func environment() throws {
        var loader = self.loader()
        loader.environment = [
            "RELAYD_QUEUE_SHARD": "8", "RELAY_CONTROLLER_MIGRATE_CONNECTION": "host=db",
            "RELAY_CONTROLLER_CONTROL_LISTENERS": "['127.0.0.1:1', '[::1]:2']",
        ]
        let listeners = try loader.load().configuration.control.listeners
        #expect(listeners.map { "\($0)" } == ["127.0.0.1:1", "[::1]:2"])
        loader.environment["RELAY_CONTROLLER_DATABASE_POOL_SISE"] = "8"
        let problem = """
            environment RELAY_CONTROLLER_DATABASE_POOL_SISE: unknown key; did you mean RELAY_CONTROLLER_DATABASE_POOL_SIZE?
            """
        #expect(self.problems(loader) == [problem])
    }

    @Test("The encryption key comes from a credential or the environment, and no text ever shows it (control 17)")
    func secretKey() throws {
        var loader = self.loader()
        loader.credentials = [
            "keys.encryption-key": SettingsFile(path: "/run/c/keys.encryption-key", text: "\(Self.key)\n")
        ]
        let loaded = try loader.load()
        #expect(loaded.configuration.keys.encryptionKey?.bytes.prefix(3) == [0x01, 0x23, 0x45])
        for text in [ConfigurationText.effective(loaded), ConfigurationText.defaults(loaded.configuration)] {
            #expect(!text.contains("0123456789") && text.contains("(not shown)"))
        }
        #expect(!"\(loaded.configuration.keys)".contains("0123456789"))
        loader.environment = ["RELAY_CONTROLLER_KEYS_ENCRYPTION_KEY": String(Self.key.dropLast())]
        let problem = self.problems(loader).first ?? ""
        #expect(problem.hasSuffix("expected key of 64 hexadecimal digits, or null"), "\(problem)")
        #expect(!problem.contains("0123456789"))
    }

    @Test("A file that others can read holds neither key nor password (control 17)")
    func exposedFile() throws {
        let text = "keys: {encryption-key: \(Self.key)}"
        #expect(self.problems(self.loader(text)).isEmpty)
        let problem = """
            relay-controller.yaml:1: keys.encryption-key: holds a key, and others can read or change this file (mode 0644); \
            use mode 0600 or 0640, or put it into the credential keys.encryption-key or the environment
            """
        #expect(self.problems(self.loader(text, mode: "0644")) == [problem])
    }

    @Test("What contradicts itself is said by key")
    func inconsistencies() throws {
        let listeners = "control: {listeners: ['127.0.0.1:9926', '127.0.0.1:9926']}"
        #expect(
            self.problems(self.loader(listeners))
                == ["relay-controller.yaml:1: control.listeners: 127.0.0.1:9926 is there twice"])
        let keys = "keys: {encryption-key-file: /k, previous-encryption-key-files: [/k]}"
        #expect(
            self.problems(self.loader(keys)) == [
                "relay-controller.yaml:1: keys.previous-encryption-key-files: /k is the file of the current key"
            ])
    }
}
