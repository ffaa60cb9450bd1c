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
        abstract: "List, show and change what is in the queue, through a controller or directly on its database.",
        discussion: """
            With a context (`relayctl login`) these commands go through its controller: a viewer reads all but content, an \
            admin does all. Without one, or with --connection or --config, they go to the database: to read takes a login in \
            the group relay_queue, relay_viewer (all but cat) or relay_admin; to change takes one in relay_admin. A message \
            for several domains has an entry for each. Commands count entries in delivery, and do not change them. Exit \
            codes: 0, 1 failed, 64 usage, 65 no such message or rule, 69 no controller or database, 75 try again, 77 denied, \
            78 configuration.
            """,
        subcommands: [
            QueueList.self, QueueSummaryCommand.self, QueueShow.self, QueueCat.self, QueueHold.self, QueueRelease.self,
            QueueRetry.self, QueueFail.self, QueueDrop.self, QueueShapeCommand.self,
            QueueSuspend.self, QueueBounce.self, QueueResume.self, QueueRulesCommand.self,
        ])

    package init() {}
}

/// The options by which the queue is found, the same for every subcommand: through the controller of a context, or on its database.
struct QueueConnectionOptions: ParsableArguments {
    @OptionGroup var cluster: ClusterOptions

    @Option(
        name: .long,
        help:
            "Connection string or URI of libpq: the database is asked itself. Else the controller of a context, if there is one."
    )
    var connection: String?

    @Option(
        name: .long,
        help: """
            The configuration file of relayd, whose database.connection is used; without a context, \
            \(ConfigurationLoader.defaultPath) if it exists. The environment (RELAYD_DATABASE_CONNECTION) overrides it.
            """)
    var config: String?

    func validate() throws {
        guard self.cluster.context == nil || self.connection == nil && self.config == nil else {
            throw ValidationError("--context goes without --connection and --config.")
        }
    }

    /// Runs a command with the queue, and ends the program with its failure's status and line.
    func run(
        _ output: QueueOutputOptions? = nil, _ body: (QueueConsole) async throws(ConsoleFailure) -> Void
    ) async throws {
        var terminal = ConsoleTerminal.ofThisProcess
        terminal.style = .ofThisProcess(output?.color ?? .never)
        try await ClusterOptions.ending { () async throws(ConsoleFailure) in
            try await self.withQueue { (queue) throws(ConsoleFailure) in
                try await body(
                    QueueConsole(queue: queue, format: output?.output ?? .table, terminal: terminal, time: .system))
            }
        }
    }

    private func withQueue(
        _ body: (any QueueOperations) async throws(ConsoleFailure) -> Void
    ) async throws(ConsoleFailure) {
        if self.connection == nil, self.config == nil, let (session, context) = try self.cluster.chosen() {
            return try await session.run(context) { client throws(ConsoleFailure) in
                try await body(QueueOfController(client: client))
            }
        }
        try await QueueDatabase.with(
            connection: try self.connectionString(), logger: Logger(label: "relayctl") { _ in SwiftLogNoOpLogHandler() }
        ) { (queue) throws(ConsoleFailure) in try await body(queue) }
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
