import ArgumentParser
import Foundation
import GRPCCore
import GRPCTransport
import MailModel
import NIOPosix
import OperatingSystem
import RelayConfiguration

/// Which cluster is meant, the same for every command that goes through a controller.
struct ClusterOptions: ParsableArguments {
    @Option(name: .long, help: "The context; else that of RELAYCTL_CONTEXT, or the one that counts.")
    var context: String?

    /// Runs a command with a controller, and ends the program with its failure's status and line.
    func run(
        _ output: QueueOutputOptions, _ body: (ClusterConsole) async throws(ConsoleFailure) -> Void
    ) async throws {
        try await Self.ending { () async throws(ConsoleFailure) in
            let (session, context) = try self.session(output)
            try await session.run(context) { client, renewal throws(ConsoleFailure) in
                try await body(
                    ClusterConsole(
                        client: client, format: output.output, terminal: session.terminal, time: session.time,
                        renewal: renewal))
            }
        }
    }

    /// What reaches the controllers of the context that counts.
    func session(_ output: QueueOutputOptions) throws(ConsoleFailure) -> (ClusterSession, ClusterContext) {
        guard let chosen = try self.chosen(output.color) else {
            throw ConsoleFailure(.configuration, "no cluster is chosen; `relayctl login` makes a context")
        }
        return chosen
    }

    /// The same; `nil` without a context.
    func chosen(
        _ colour: ColourChoice = .never
    ) throws(ConsoleFailure) -> (session: ClusterSession, context: ClusterContext)? {
        let environment = ProcessInfo.processInfo.environment
        // A daemon's user may have no home, and so no contexts.
        guard self.context != nil || environment["HOME"] != nil else { return nil }
        let session = try Self.session(colour)
        guard let name = session.store.chosen(named: self.context, environment: environment) else { return nil }
        return (session, try session.store.read(name))
    }

    /// What reaches controllers, without a context.
    static func session(_ colour: ColourChoice) throws(ConsoleFailure) -> ClusterSession {
        var terminal = ConsoleTerminal.ofThisProcess
        terminal.style = .ofThisProcess(colour)
        return ClusterSession(
            store: try ContextStore(environment: ProcessInfo.processInfo.environment), terminal: terminal,
            time: .system, random: .system, group: MultiThreadedEventLoopGroup.singleton)
    }

    /// Ends the program with the failure's status and line, if there is one.
    static func ending(_ body: () async throws(ConsoleFailure) -> Void) async throws {
        do throws(ConsoleFailure) {
            try await body()
        } catch {
            ConsoleTerminal.ofThisProcess.say("relayctl: \(error)")
            throw ExitCode(error.status.rawValue)
        }
    }
}

/// What every change of the cluster takes.
struct ClusterChangeOptions: ParsableArguments {
    @Option(name: .long, help: "Why, for the audit.")
    var reason = ""

    @Flag(name: .long, help: "Check everything, and change nothing.")
    var dryRun = false

    var change: ClusterChange {
        var change = ClusterChange()
        change.reason = self.reason
        change.isDryRun = self.dryRun
        return change
    }
}

/// Waiting for nodes.
struct ClusterWaitOptions: ParsableArguments {
    @Flag(name: .long, help: "Wait until every connected node serves by the change; exit 75 if they do not in time.")
    var wait = false

    @Option(
        name: .long, help: ArgumentHelp("How long to wait at most.", valueName: "time"),
        transform: {
            guard let time = Duration(configurationText: $0), time > .zero else {
                throw ValidationError("\($0) is no duration.")
            }
            return time
        })
    var timeout = Duration.seconds(300)

    /// How long to wait; `nil` for not at all.
    var time: Duration? { self.wait ? self.timeout : nil }
}
