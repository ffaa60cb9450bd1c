import ArgumentParser
import Foundation
import QueueStore

/// The options of everything that changes entries.
struct QueueActionOptions: ParsableArguments {
    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions
    @OptionGroup var selection: QueueSelectionOptions

    @Flag(name: .long, help: "Every entry of the queue.")
    var everything = false

    @Flag(name: .long, help: "Only count the entries.")
    var dryRun = false

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    @Option(name: .long, help: "Why, for the record.")
    var reason: String?

    func run(_ action: QueueAction) async throws {
        try await self.connection.run(self.output) { (console) throws(ConsoleFailure) in
            var request = ActionRequest(action, try self.selection.selection(), by: Self.actor)
            request.isEverythingMeant = self.everything
            request.isDryRun = self.dryRun
            request.isConfirmed = self.yes
            request.reason = self.reason
            try await console.perform(request)
        }
    }

    /// Who does it: with sudo, the person behind it.
    static var actor: String {
        let user = ProcessInfo.processInfo.environment["SUDO_USER"] ?? ProcessInfo.processInfo.userName
        return "\(user)@\(ProcessInfo.processInfo.hostName)"
    }
}

struct QueueHold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Keep entries from being tried, and from expiring, until they are released.")
    @OptionGroup var options: QueueActionOptions
    func run() async throws { try await self.options.run(.hold) }
}

struct QueueRelease: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Release held entries: they are tried at once.")
    @OptionGroup var options: QueueActionOptions
    func run() async throws { try await self.options.run(.release) }
}

struct QueueRetry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Try entries at once, also where a destination is in backoff, and look up their hosts anew.")
    @OptionGroup var options: QueueActionOptions
    func run() async throws { try await self.options.run(.retry) }
}

struct QueueFail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fail", abstract: "Give up entries; their senders hear 5.7.0 and the reason.")
    @OptionGroup var options: QueueActionOptions
    func run() async throws { try await self.options.run(.fail) }
}

struct QueueDrop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Remove entries; no sender gets a report.")
    @OptionGroup var options: QueueActionOptions
    func run() async throws { try await self.options.run(.drop) }
}
