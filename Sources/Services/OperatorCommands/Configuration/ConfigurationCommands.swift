public import ArgumentParser
import MailModel
import NodeState
import OperatingSystem
import RelayConfiguration

/// `config defaults`.
public struct ConfigDefaults: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "defaults", abstract: "Print every key with its meaning and default, as YAML.")

    public init() {}

    public func run() async throws {
        // Without any source, so that neither a file nor the environment shows through.
        let loader = ConfigurationLoader.withoutSources()
        print(ConfigurationText.defaults(try loader.load().configuration), terminator: "")
    }
}

/// `config check`.
public struct ConfigCheck: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the configuration and the files it names; exit 78 and say what is wrong if it is not good.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(name: .long, help: "Look up, too, whether mail of accepted domains without next-hop would come back.")
    var dns = false

    public init() {}

    public func run() async throws {
        let loaded = try self.options.load()
        let warnings: [ConfigurationProblem]
        do {
            warnings = try await loaded.checkFiles(withDNS: self.dns, time: .system, random: .system)
        } catch {
            Terminal.complain("\(error)")
            throw error is ConfigurationError ? ExitCode.configuration : .failure
        }
        for warning in warnings { Terminal.complain("warning: \(warning)") }
        Terminal.complain("The configuration is good.")
    }
}

/// `config show`.
public struct ConfigShow: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print the values in force and where each came from; secrets are left out.")

    @OptionGroup var options: ConfigurationOptions

    public init() {}

    public func run() async throws {
        print(ConfigurationText.effective(try self.options.load()), terminator: "")
    }
}
