import ArgumentParser

/// The private Internet, database and peers that tests and benchmarks run on, for people.
@main
struct RelayLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-lab", abstract: "The relay on a private Internet, to look at.", subcommands: [Demo.self])
}

/// Exit codes of sysexits.h, as the operators' conventions name them.
extension ExitCode {
    /// Something outside that is needed is not there.
    static let unavailable = ExitCode(69)
    /// Ended by Ctrl-C, as shells count it.
    static let interrupted = ExitCode(130)
}
