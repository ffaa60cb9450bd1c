public import ArgumentParser
public import QueueStore
import RelayConfiguration

struct QueueList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List entries, in the order of their keys.",
        discussion: """
            Each line of `-o jsonl` has the keys of Postfix's `postqueue -j`, and domain, state, attempts, \
            next_attempt, shard, node, dane, verdict. stage, host and since tell of an attempt under way; waits_for and \
            suspended_because tell what keeps a domain's mail from being tried.
            """)

    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions
    @OptionGroup var selection: QueueSelectionOptions

    @Option(name: .long, help: "The most entries; 0 is all.")
    var limit = 1000

    @Option(name: .long, help: "Go on where an earlier list ended.")
    var after: String?

    @Option(name: .long, help: "key (by shard), or age: the oldest message first, over all shards.")
    var sort = QueueOrder.key

    func validate() throws {
        guard self.limit >= 0 else { throw ValidationError("--limit is a number of entries.") }
    }

    func run() async throws {
        try await self.connection.run(self.output) { (console) throws(ConsoleFailure) in
            try await console.list(
                try self.selection.selection(), limit: self.limit, after: self.after, order: self.sort)
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
        try await self.connection.run(self.output) { (console) throws(ConsoleFailure) in
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

    @Flag(name: .long, help: "Only the header section.")
    var headers = false

    @Flag(name: .long, help: "Only the body.")
    var body = false

    func validate() throws {
        guard !(self.headers && self.body) else { throw ValidationError("--headers goes without --body.") }
    }

    func run() async throws {
        let part: ContentPart = self.headers ? .headers : self.body ? .body : .all
        try await self.connection.run { (console) throws(ConsoleFailure) in try await console.cat(self.id, part) }
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
        try await self.connection.run(self.output) { (console) throws(ConsoleFailure) in
            try await console.summarize(isExact: self.exact)
        }
    }
}

struct QueueShapeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shape", abstract: "Show the ages of entries by domain, as Postfix's qshape does.",
        discussion: """
            The columns are ages in minutes: each counts entries younger than its head, and the last all older ones. It \
            counts every entry, in about a second per million.
            """)

    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions

    @Option(name: .long, help: "ready, active, deferred or held; may be given again. Without it, all.")
    var state: [QueueListing.State] = []

    @Option(name: .long, help: "The most domains; those with the most entries come first.")
    var limit = 20

    func validate() throws {
        guard (1...100_000).contains(self.limit) else { throw ValidationError("--limit is from 1 to 100000.") }
    }

    func run() async throws {
        try await self.connection.run(self.output) { (console) throws(ConsoleFailure) in
            try await console.shape(self.state, limit: self.limit)
        }
    }
}

/// Which entries are meant; conditions of different kinds must all hold, of one kind one must.
struct QueueSelectionOptions: ParsableArguments {
    @Option(
        name: .long,
        help:
            "The id of a message, as here or as a UUID; may be given again. - reads ids from standard input, one a line."
    )
    var id: [String] = []

    @Option(name: .long, help: "The recipients' domain; may be given again.")
    var domain: [String] = []

    @Option(name: .long, help: "The sender's address, `<>` for nobody; may be given again.")
    var sender: [String] = []

    @Option(name: .long, help: "A recipient's address; may be given again.")
    var recipient: [String] = []

    @Option(
        name: .long,
        help: """
            ready (due now), active (an attempt is under way), deferred (waits for its time, or its domain's) or held; may \
            be given again.
            """)
    var state: [QueueListing.State] = []

    @Option(
        name: .long,
        help: "What failed last, by name or code, such as tlsa-invalid or 4.7.323; may be given again.")
    var lastReason: [String] = []

    @Option(
        name: .long, help: "The host that failed last, or is asked now, by name or address; may be given again.")
    var host: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("Due, or to be tried within so long, such as 15m.", valueName: "time"),
        transform: {
            guard let time = Duration(configurationText: $0) else { throw ValidationError("\($0) is no duration.") }
            return time
        })
    var dueWithin: Duration?

    @Option(
        name: .long, help: ArgumentHelp("In the queue for at least so long, such as 4h or 1d12h.", valueName: "age"),
        transform: {
            guard let age = Duration(configurationText: $0) else { throw ValidationError("\($0) is no duration.") }
            return age
        })
    var olderThan: Duration?

    /// Reads standard input if ids are to come from there.
    func selection() throws(ConsoleFailure) -> EntrySelection {
        var selection = EntrySelection()
        selection.ids = try self.ids()
        selection.recipients = self.recipient
        selection.reasons = self.lastReason
        selection.hosts = self.host
        selection.dueWithin = self.dueWithin
        selection.domains = self.domain
        selection.senders = self.sender
        selection.states = self.state
        selection.age = self.olderThan
        return selection
    }

    /// What stands for standard input, as with postsuper.
    private static let standardInput = "-"

    /// No ids at all where some were to come must not mean every entry.
    private func ids() throws(ConsoleFailure) -> [String] {
        guard self.id.contains(Self.standardInput) else { return self.id }
        var ids = self.id.filter { $0 != Self.standardInput }
        while let line = readLine() {
            ids += EntrySelection.ids(in: line)
            guard ids.count <= EntrySelection.mostIDs else { break }
        }
        guard !ids.isEmpty else { throw ConsoleFailure(.badData, "no ids came by standard input") }
        return ids
    }
}

extension QueueListing.State: ExpressibleByArgument {}

extension QueueOrder: ExpressibleByArgument {}
