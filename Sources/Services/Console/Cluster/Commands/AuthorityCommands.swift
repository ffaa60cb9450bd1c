package import ArgumentParser
import MailModel
import OperatingSystem
import OperatorCommands

/// The authority of the cluster.
package struct CA: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ca", abstract: "Show and rotate the authority that certificates of the cluster are of.",
        subcommands: [CAStatus.self, CARotate.self])

    package init() {}
}

struct CAStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the authorities, and where a rotation stands.")
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in try await console.showAuthority() }
    }
}

struct CARotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Take the next step of a rotation; with --wait, all steps to its end.",
        discussion: """
            All nodes trust both authorities, then certificates are of the new one, then the old one is dropped. A step \
            can be taken once every node has done the one before; `ca status` names those that have not. Exit codes: 0, 1 \
            the step cannot be taken yet, 69 no controller, 75 not done in time, 77 denied, 78 no context.
            """)
    @Flag(name: .long, help: "Do not ask.") var yes = false
    @OptionGroup var change: ClusterChangeOptions
    @OptionGroup var waiting: ClusterWaitOptions
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        var change = self.change.change
        change.isConfirmed = self.yes
        change.wait = self.waiting.time
        try await self.cluster.run(self.output) { [change] console throws(ConsoleFailure) in
            try await console.rotateAuthority(change)
        }
    }
}

/// What was changed.
package struct Audit: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "List changes of the cluster, the latest first: who, what, before, after and why.")
    @Option(name: .long, help: "Only changes of this, such as domain/example.org.") var object: String?
    @Option(name: .long, help: "The most changes; 0 is all.") var limit = 100
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    package init() {}

    package func validate() throws {
        guard self.limit >= 0 else { throw ValidationError("--limit is a number of changes.") }
    }

    package func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.audit(object: self.object, limit: self.limit)
        }
    }
}

/// How the cluster is.
package struct Status: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the cluster is: its state, nodes, domains and leader.")
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    package init() {}

    package func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in try await console.status() }
    }
}

/// Whether all is well.
package struct Check: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the cluster from here: credential, controller, authority, nodes, certificates.",
        discussion: """
            Each check is well, a warning (somebody should look) or an error, and the last two have a hint. Exit codes: 0 \
            there is no error, 1 there is one, 69 no controller, 77 denied, 78 no context.
            """)
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    package init() {}

    package func run() async throws {
        try await ClusterOptions.ending { () async throws(ConsoleFailure) in
            let (session, context) = try self.cluster.session(self.output)
            try await session.check(
                context, program: ProgramVersion.number, as: self.output.output, isUnicode: ConsoleTerminal.isUnicode)
        }
    }
}
