package import ArgumentParser
import Foundation
import MailModel
import OperatingSystem

/// The clusters that this person administers.
package struct Context: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "List, choose and forget contexts, that is clusters that you are logged in to.",
        subcommands: [ContextListCommand.self, ContextUse.self, ContextRemove.self])

    package init() {}
}

/// Runs a command on contexts.
private func withContexts(
    _ output: QueueOutputOptions, _ body: (ContextConsole) throws(ConsoleFailure) -> Void
) async throws {
    try await ClusterOptions.ending { () async throws(ConsoleFailure) in
        let session = try ClusterOptions.session(output.color)
        let chosen = session.store.chosen(named: nil, environment: ProcessInfo.processInfo.environment)
        try body(
            ContextConsole(
                store: session.store, chosen: chosen, format: output.output, terminal: session.terminal))
    }
}

struct ContextListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List contexts; the one that counts has a star.")
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await withContexts(self.output) { console throws(ConsoleFailure) in try console.list(now: .systemNow) }
    }
}

struct ContextUse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "use", abstract: "Have a context count where none is named.")
    @Argument(help: "Its name.") var name: String
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await withContexts(self.output) { console throws(ConsoleFailure) in try console.use(self.name) }
    }
}

struct ContextRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Forget a context and its credential.")
    @Argument(help: "Its name.") var name: String
    @Flag(name: .long, help: "Do not ask.") var yes = false
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await withContexts(self.output) { console throws(ConsoleFailure) in
            try console.remove(self.name, isConfirmed: self.yes)
        }
    }
}
