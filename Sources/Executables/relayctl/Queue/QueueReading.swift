public import ArgumentParser
import EdgeNode
import QueueConsole
public import QueueStore

struct QueueList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List entries, in the order of their keys.",
        discussion: """
            Each line of `-o jsonl` has the keys of Postfix's `postqueue -j`, and of ours domain, state, attempts, \
            next_attempt, shard, node, dane and verdict.
            """)

    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions
    @OptionGroup var selection: QueueSelectionOptions

    @Option(name: .long, help: "The most entries; 0 is all.")
    var limit = 1000

    @Option(name: .long, help: "Go on where an earlier list ended.")
    var after: String?

    func validate() throws {
        guard self.limit >= 0 else { throw ValidationError("--limit is a number of entries.") }
    }

    func run() async throws {
        try await self.connection.run(self.output.output) { (console) throws(ConsoleFailure) in
            try await console.list(self.selection.selection, limit: self.limit, after: self.after)
        }
    }
}

struct QueueShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one message: envelope, entries, and its life so far.")

    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions
    @Argument(help: "The message's id.") var id: String

    func run() async throws {
        try await self.connection.run(self.output.output) { (console) throws(ConsoleFailure) in
            try await console.show(self.id)
        }
    }
}

struct QueueCat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat",
        abstract:
            "Write the content of a message to standard output, byte for byte; on a terminal, control characters are shown as ?."
    )

    @OptionGroup var connection: QueueConnectionOptions
    @Argument(help: "The message's id.") var id: String

    func run() async throws {
        try await self.connection.run { (console) throws(ConsoleFailure) in try await console.cat(self.id) }
    }
}

struct QueueSummaryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summary", abstract: "Show how much is in the queue, from running sums.")

    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions

    @Flag(name: .long, help: "Count every entry instead, and show the longest queues: about a second per million.")
    var exact = false

    func run() async throws {
        try await self.connection.run(self.output.output) { (console) throws(ConsoleFailure) in
            try await console.summarize(isExact: self.exact)
        }
    }
}

/// Which entries are meant; conditions of different kinds must all hold, of one kind one must.
struct QueueSelectionOptions: ParsableArguments {
    @Option(name: .long, help: "The id of a message; may be given again.")
    var id: [String] = []

    @Option(name: .long, help: "The recipients' domain; may be given again.")
    var domain: [String] = []

    @Option(name: .long, help: "The sender's address, `<>` for nobody; may be given again.")
    var sender: [String] = []

    @Option(name: .long, help: "ready, active (in delivery), deferred or held; may be given again.")
    var state: [QueueListing.State] = []

    @Option(
        name: .long, help: ArgumentHelp("In the queue for at least so long, such as 4h or 1d12h.", valueName: "age"),
        transform: {
            guard let age = Duration(configurationText: $0) else { throw ValidationError("\($0) is no duration.") }
            return age
        })
    var olderThan: Duration?

    var selection: EntrySelection {
        var selection = EntrySelection()
        selection.ids = self.id
        selection.domains = self.domain
        selection.senders = self.sender
        selection.states = self.state
        selection.age = self.olderThan
        return selection
    }
}

extension QueueListing.State: ExpressibleByArgument {}
