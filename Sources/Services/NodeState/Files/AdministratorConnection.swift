import Foundation
public import RelayConfiguration

/// Where `relayd migrate` finds the connection string of a role that may make the schema.
public enum AdministratorConnection {
    /// The variable that holds it. It is no setting of a node, and a node does not look at it.
    public static let environmentName = ConfigurationLoader.administratorVariable
    /// The file in `$CREDENTIALS_DIRECTORY` that holds it.
    public static let credentialName = "migrate.connection"

    /// The connection string, checked: from the command line, the environment, or a credential, in this order.
    public static func find(_ option: String?) throws(ConfigurationError) -> String {
        try Self.find(option, environment: ProcessInfo.processInfo.environment)
    }

    static func find(_ option: String?, environment: [String: String]) throws(ConfigurationError) -> String {
        let (text, source) = try Self.source(option, environment)
        if let fault = ConfigurationDialect.connectionFault(in: text) {
            throw ConfigurationError(problems: [ConfigurationProblem(source, "", fault)])
        }
        return text
    }

    private static func source(
        _ option: String?, _ environment: [String: String]
    ) throws(ConfigurationError) -> (String, ConfigurationProblem.Source) {
        if let option { return (option, .flag("--connection")) }
        if let text = environment[Self.environmentName] { return (text, .environment(Self.environmentName)) }
        let path = environment["CREDENTIALS_DIRECTORY"].map { "\($0)/\(Self.credentialName)" }
        guard let path, FileManager.default.fileExists(atPath: path) else {
            throw ConfigurationError(problems: [
                ConfigurationProblem(
                    .flag("--connection"), "",
                    """
                    no connection string: give it here, in the environment \(Self.environmentName), or in the file \
                    \(Self.credentialName) of $CREDENTIALS_DIRECTORY
                    """)
            ])
        }
        let file = try ConfigurationLoader.credential(path)
        return (file.text.hasSuffix("\n") ? String(file.text.dropLast()) : file.text, .credential(path))
    }
}
