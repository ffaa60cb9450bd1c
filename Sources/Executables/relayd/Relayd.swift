import ArgumentParser

@main
struct Relayd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relayd", abstract: "The edge node: SMTP in, queue, SMTP out with DANE enforced.",
        version: Version.text, subcommands: [Run.self, Migrate.self, Config.self, Auth.self],
        defaultSubcommand: Run.self)
}

/// What is running; a release sets both.
enum Version {
    static let number = "0.1.0"
    static let revision = "unknown"
    static let text = "relayd \(number) (\(revision))"
}

/// Exit codes of sysexits.h, as the operators' conventions name them.
extension ExitCode {
    static let configuration = ExitCode(78)
}
