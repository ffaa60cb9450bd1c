import Foundation
public import RelayConfiguration

/// Where a program finds the connection string of a role that may make its schema.
public enum AdministratorConnection<Settings: ProgramSettings> {
    /// The variable that holds it. It is no setting, and a running program does not look at it.
    public static var environmentName: String { Settings.schema.administratorVariable }
    /// The file in `$CREDENTIALS_DIRECTORY` that holds it.
    public static var credentialName: String { "migrate.connection" }

    /// The connection string, checked: from the command line, the environment, or a credential, in this order.
    public static func find(_ option: String?) throws(ConfigurationError) -> String {
        try Self.find(option, environment: ProcessInfo.processInfo.environment)
    }

    static func find(_ option: String?, environment: [String: String]) throws(ConfigurationError) -> String {
        if let found = try Self.findIfGiven(option, environment: environment) { return found }
        throw ConfigurationError(problems: [
            ConfigurationProblem(
                .flag("--connection"), "",
                """
                no connection string: give it here, in the environment \(Self.environmentName), or in the file \
                \(Self.credentialName) of $CREDENTIALS_DIRECTORY
                """)
        ])
    }

    /// The same; `nil` where none of these has one.
    public static func findIfGiven(_ option: String?) throws(ConfigurationError) -> String? {
        try Self.findIfGiven(option, environment: ProcessInfo.processInfo.environment)
    }

    private static func findIfGiven(
        _ option: String?, environment: [String: String]
    ) throws(ConfigurationError) -> String? {
        guard let (text, source) = try Self.source(option, environment) else { return nil }
        if let fault = ConfigurationDialect.connectionFault(in: text) {
            throw ConfigurationError(problems: [ConfigurationProblem(source, "", fault)])
        }
        return text
    }

    private static func source(
        _ option: String?, _ environment: [String: String]
    ) throws(ConfigurationError) -> (String, ConfigurationProblem.Source)? {
        if let option { return (option, .flag("--connection")) }
        if let text = environment[Self.environmentName] { return (text, .environment(Self.environmentName)) }
        let path = environment["CREDENTIALS_DIRECTORY"].map { "\($0)/\(Self.credentialName)" }
        guard let path, FileManager.default.fileExists(atPath: path) else { return nil }
        let file = try SettingsFile.credential(path)
        return (file.text.hasSuffix("\n") ? String(file.text.dropLast()) : file.text, .credential(path))
    }
}
