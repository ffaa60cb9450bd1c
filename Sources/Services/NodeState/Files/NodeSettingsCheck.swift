import ArgumentParser
import MailModel
import OperatingSystem
public import OperatorCommands
public import RelayConfiguration

/// How `config check` of relayd and relayctl judges the settings of a node.
public struct NodeSettingsCheck: SettingsCheck {
    @Flag(name: .long, help: "Look up, too, whether mail of accepted domains without next-hop would come back.")
    var dns = false

    public init() {}

    public func warnings(of loaded: LoadedConfiguration) async throws -> [ConfigurationProblem] {
        try await loaded.checkFiles(withDNS: self.dns, time: .system, random: .system)
    }

    /// A node with a controller has most of what it serves by from there.
    public func remarks(on loaded: LoadedConfiguration) -> [String] {
        guard loaded.configuration.hasController else { return [] }
        let addresses = loaded.configuration.control.addresses.map { "\($0)" }.joined(separator: ", ")
        return ["Domains, users and certificates come from the controller (\(addresses)), and are not checked here."]
    }
}
