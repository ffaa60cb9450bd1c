public import ArgumentParser
import Foundation
public import RelayConfiguration

/// The options that say where settings come from, the same for every subcommand.
public struct ConfigurationOptions<Settings: ProgramSettings>: ParsableArguments, Sendable {
    @Option(name: .long, help: "The configuration file; \(Settings.schema.defaultPath) if it exists.")
    var config: String?

    @Option(name: .long, help: "One setting, as key=value; may be given again. It overrides file and environment.")
    var set: [String] = []

    public init() {}

    /// Loads the settings, or says what is wrong with them and ends with 78.
    public func load() throws -> LoadedSettings<Settings> {
        do {
            return try self.read()
        } catch {
            Terminal.complain("\(error)")
            throw ExitCode.configuration
        }
    }

    /// Reads the settings from all their sources.
    public func read() throws(ConfigurationError) -> LoadedSettings<Settings> {
        // Names in other scripts become A-labels here, once.
        try SettingsLoader.ofThisProcess(
            path: self.config, flags: self.set, dialect: .libraries
        ).load()
    }
}

/// Messages go to standard error, data to standard output.
public enum Terminal {
    public static func complain(_ text: String) {
        // Whoever closed standard error does not want to read it.
        try? FileHandle.standardError.write(contentsOf: Data("\(text)\n".utf8))
    }
}

/// Exit codes of sysexits.h, as the operators' conventions name them.
extension ExitCode {
    public static let configuration = ExitCode(78)
}
