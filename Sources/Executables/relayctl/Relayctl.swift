import ArgumentParser
import EdgeNode

@main
struct Relayctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relayctl", abstract: "Administration and diagnosis of the relay.",
        version: ProgramVersion.text(of: "relayctl"),
        subcommands: [Demo.self, Queue.self, DNS.self, Completions.self])
}

/// Exit codes of sysexits.h, as the operators' conventions name them.
extension ExitCode {
    /// Something outside that is needed is not there.
    static let unavailable = ExitCode(69)
    /// Ended by Ctrl-C, as shells count it.
    static let interrupted = ExitCode(130)
}
