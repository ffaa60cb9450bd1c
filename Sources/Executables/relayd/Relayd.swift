import ArgumentParser
import SecureResolver

@main
enum Entry {
    static func main() async {
        // Before anything else is set up: this process has nothing to do with a node but its program.
        if CommandLine.arguments.dropFirst() == ["resolver"] { ResolverChild.run() }
        if let trial = Self.lockTrial { trial.run() }
        await Relayd.main()
    }

    /// For whoever wants to know what the resolver's lock holds: `relayd resolver-lock open`.
    private static var lockTrial: LockTrial? {
        let words = CommandLine.arguments.dropFirst()
        return words.first == "resolver-lock" && words.count == 2 ? words.last.flatMap(LockTrial.init(rawValue:)) : nil
    }
}

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
