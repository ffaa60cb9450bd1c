import ArgumentParser
import EdgeNode
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
        version: ProgramVersion.text(of: "relayd"), subcommands: [Run.self, Migrate.self, Config.self, Auth.self],
        defaultSubcommand: Run.self)
}

/// Exit codes of sysexits.h, as the operators' conventions name them.
extension ExitCode {
    static let configuration = ExitCode(78)
}
