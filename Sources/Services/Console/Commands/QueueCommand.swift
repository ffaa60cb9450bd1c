public import ArgumentParser
import Foundation
import InternationalDomains
import Logging
import MailModel
import OperatingSystem
import OperatorCommands
import RelayConfiguration

/// What is in the queue, and what is to be done with it.
package struct Queue: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
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

    package init() {}
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
            try await QueueDatabase.with(
                connection: try self.connectionString(),
                logger: Logger(label: "relayctl") { _ in SwiftLogNoOpLogHandler() }
            ) { (queue) throws(ConsoleFailure) in
                try await body(
                    QueueConsole(
                        queue: queue, format: output?.output ?? .table, terminal: terminal, time: .system))
            }
        } catch {
            ConsoleTerminal.ofThisProcess.say("relayctl: \(error)")
            throw ExitCode(error.status.rawValue)
        }
    }

    private func connectionString() throws(ConsoleFailure) -> String {
        if let connection { return connection }
        do throws(ConfigurationError) {
            return try ConfigurationLoader.ofThisProcess(
                path: self.config, flags: [], dialect: .libraries
            ).load().configuration.database.connection
        } catch {
            throw ConsoleFailure(.configuration, error.description)
        }
    }
}

/// In which form data is written.
package struct QueueOutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "table, json, jsonl or yaml.")
    package var output = OutputFormat.table

    @Option(name: .long, help: "Colours in tables: auto (on a terminal, unless NO_COLOR is set), always or never.")
    package var color = ColourChoice.auto

    package init() {}
}

extension OutputFormat: ExpressibleByArgument {}

extension ColourChoice: ExpressibleByArgument {}
