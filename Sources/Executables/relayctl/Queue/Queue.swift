public import ArgumentParser
import EdgeNode
import Foundation
import InternationalDomains
import Logging
import MailModel
public import QueueConsole

/// What is in the queue, and what is to be done with it.
struct Queue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List, show and change what is in the queue, directly on its database.",
        discussion: """
            To read takes a login in the group relay_queue, relay_viewer (all but cat) or relay_admin; to change takes one \
            in relay_admin. A message for several domains has an entry for each. Commands count entries in delivery, and do \
            not change them. Exit codes: 0, 1 failed, 64 usage, 65 no such message or rule, 69 no database, 75 try again, \
            77 denied, 78 configuration.
            """,
        subcommands: [
            QueueList.self, QueueSummaryCommand.self, QueueShow.self, QueueCat.self, QueueHold.self, QueueRelease.self,
            QueueRetry.self, QueueFail.self, QueueDrop.self, QueueShapeCommand.self,
            QueueSuspend.self, QueueBounce.self, QueueResume.self, QueueRulesCommand.self,
        ])
}

/// The options by which the database is found, the same for every subcommand.
struct QueueConnectionOptions: ParsableArguments {
    @Option(name: .long, help: "Connection string or URI of libpq; else that of relayd's configuration.")
    var connection: String?

    @Option(
        name: .long,
        help: """
            The configuration file of relayd, whose database.connection is used; \(ConfigurationLoader.defaultPath) if it \
            exists. The environment (RELAYD_DATABASE_CONNECTION) overrides it.
            """)
    var config: String?

    /// Runs a command with the queue, and ends the program with its failure's status and line.
    func run(
        _ output: QueueOutputOptions? = nil, _ body: (QueueConsole) async throws(ConsoleFailure) -> Void
    ) async throws {
        var terminal = ConsoleTerminal.ofThisProcess
        terminal.style = .ofThisProcess(output?.color ?? .never)
        do throws(ConsoleFailure) {
            try await QueueConsole.with(
                connection: try self.connectionString(), format: output?.output ?? .table, terminal: terminal,
                logger: Logger(label: "relayctl") { _ in SwiftLogNoOpLogHandler() }, body)
        } catch {
            ConsoleTerminal.ofThisProcess.say("relayctl: \(error)")
            throw ExitCode(error.status.rawValue)
        }
    }

    private func connectionString() throws(ConsoleFailure) -> String {
        if let connection { return connection }
        do throws(ConfigurationError) {
            return try ConfigurationLoader.ofThisProcess(
                path: self.config, flags: [], domainName: { try? DomainName(unicode: $0) }
            ).load().configuration.database.connection
        } catch {
            throw ConsoleFailure(.configuration, error.description)
        }
    }
}

/// In which form data is written.
struct QueueOutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "table, json, jsonl or yaml.")
    var output = OutputFormat.table

    @Option(name: .long, help: "Colours in tables: auto (on a terminal, unless NO_COLOR is set), always or never.")
    var color = ColourChoice.auto
}

extension OutputFormat: ExpressibleByArgument {}

extension ColourChoice: ExpressibleByArgument {}

extension TableStyle {
    /// As wide as the terminal; COLUMNS overrides what that says of itself. Elsewhere nothing is cut.
    static func ofThisProcess(_ colour: ColourChoice) -> TableStyle {
        let environment = ProcessInfo.processInfo.environment
        let isTerminal = isatty(STDOUT_FILENO) == 1
        return TableStyle(
            width: isTerminal ? environment["COLUMNS"].flatMap { Int($0) } ?? Self.terminalWidth : nil,
            isColoured: colour.isColoured(isTerminal: isTerminal, environment: environment))
    }

    private static var terminalWidth: Int? {
        var size = winsize()
        // The kernel writes the structure, which lives on the stack for the whole call.
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}

extension ConsoleTerminal {
    /// Standard output for data, standard error for people; it asks only where somebody can read and answer.
    static var ofThisProcess: ConsoleTerminal {
        let mayAsk = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
        return ConsoleTerminal(
            write: Self.writeOut, isShown: isatty(STDOUT_FILENO) == 1, say: Self.sayOut,
            confirm: mayAsk ? Self.askOut : nil)
    }

    @Sendable private static func writeOut(_ bytes: [UInt8]) throws(ConsoleFailure) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(bytes))
        } catch {
            throw ConsoleFailure(.failed, "standard output: \(error.localizedDescription)")
        }
    }

    @Sendable private static func sayOut(_ line: String) { Self.tell("\(line)\n") }

    @Sendable private static func askOut(_ question: String) -> Bool {
        Self.tell(question)
        return ["y", "yes"].contains(readLine()?.lowercased())
    }

    /// Whoever closed standard error does not want to read it.
    private static func tell(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
