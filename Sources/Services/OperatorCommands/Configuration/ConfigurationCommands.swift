public import ArgumentParser
public import RelayConfiguration

/// `config defaults`.
public struct ConfigDefaults<Settings: ProgramSettings>: AsyncParsableCommand {
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "defaults", abstract: "Print every key with its meaning and default, as YAML.")
    }

    public init() {}

    public func run() async throws {
        // Without any source, so that neither a file nor the environment shows through.
        let loader = SettingsLoader<Settings>.withoutSources()
        print(ConfigurationText.defaults(try loader.load().configuration), terminator: "")
    }
}

/// `config check`.
public struct ConfigCheck<Check: SettingsCheck>: AsyncParsableCommand {
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "check",
            abstract: "Check the configuration and the files it names; exit 78 and say what is wrong if it is not good."
        )
    }

    @OptionGroup var options: ConfigurationOptions<Check.Settings>

    @OptionGroup var check: Check

    public init() {}

    public func run() async throws {
        let loaded = try self.options.load()
        let warnings: [ConfigurationProblem]
        do {
            warnings = try await self.check.warnings(of: loaded)
        } catch {
            Terminal.complain("\(error)")
            throw error is ConfigurationError ? ExitCode.configuration : .failure
        }
        for warning in warnings { Terminal.complain("warning: \(warning)") }
        for remark in self.check.remarks(on: loaded) { Terminal.complain(remark) }
        Terminal.complain("The configuration is good.")
    }
}

/// `config show`.
public struct ConfigShow<Settings: ProgramSettings>: AsyncParsableCommand {
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show", abstract: "Print the values in force and where each came from; secrets are left out.")
    }

    @OptionGroup var options: ConfigurationOptions<Settings>

    public init() {}

    public func run() async throws {
        print(ConfigurationText.effective(try self.options.load()), terminator: "")
    }
}
