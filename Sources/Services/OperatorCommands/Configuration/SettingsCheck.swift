public import ArgumentParser
public import RelayConfiguration

/// How `config check` judges the settings of a program, with the options that it has for that.
public protocol SettingsCheck: ParsableArguments, Sendable {
    associatedtype Settings: ProgramSettings

    /// Looks at what the settings name, as a start would, and throws a `ConfigurationError` if something is not good.
    ///
    /// - Returns: what works as it is set, and does harm.
    func warnings(of loaded: LoadedSettings<Settings>) async throws -> [ConfigurationProblem]
    /// What is good to know of them beside, in whole sentences.
    func remarks(on loaded: LoadedSettings<Settings>) -> [String]
}

extension SettingsCheck {
    public func remarks(on loaded: LoadedSettings<Settings>) -> [String] { [] }
}
