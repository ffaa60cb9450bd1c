/// The settings in force, and where each came from.
public struct LoadedSettings<Settings: ProgramSettings>: Sendable {
    public let configuration: Settings
    /// By key; keys that are not here have their default.
    public let sources: [String: ConfigurationProblem.Source]
    /// The path of the configuration file; `nil` if there is none.
    public let file: String?
    /// The path of a file in which nothing is set.
    let fileWithoutSettings: String?

    /// A problem with the value of this key, placed where the value came from.
    package func problem(with key: String, element: String = "", _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(self.sources[key] ?? .defaults, key + element, message)
    }

    /// A warning where there is a file, and nothing in it.
    package var emptyFile: ConfigurationProblem? {
        self.fileWithoutSettings.map {
            ConfigurationProblem(.file($0, line: 1), "", "holds no settings: each has its default")
        }
    }
}
