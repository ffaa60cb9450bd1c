package import ArgumentParser
import ClusterModel
import MailModel
import RelayConfiguration

/// The nodes of the cluster.
package struct Node: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Enrol, list, show and revoke nodes, and make the tokens by which nodes and people join.",
        discussion: """
            Exit codes: 0, 1 failed, 64 usage, 65 no such node, 69 no controller, 75 try again, 77 denied, 78 no context.
            """,
        subcommands: [NodeToken.self, NodeEnroll.self, NodeList.self, NodeShow.self, NodeDiff.self, NodeRevoke.self])

    package init() {}
}

/// Whom a token makes a member.
enum MemberRole: String, CaseIterable, ExpressibleByArgument {
    case node, admin, viewer

    var role: ClusterRole {
        switch self {
        case .node: .node
        case .admin: .admin
        case .viewer: .viewer
        }
    }
}

struct NodeToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make a join token, and print it once.",
        discussion: """
            It has the hash of the cluster's authority, so that who enrols trusts no other. Hand it on as a secret: \
            `relayctl node enroll` or control.join-token of relayd takes it for a node, `relayctl login --token-file` for a \
            person.
            """)

    @Argument(help: "The name that may be taken with it, or a pattern with one *, such as mx*.example.org.")
    var name: String

    @Option(name: .long, help: "node, admin or viewer.")
    var role = MemberRole.node

    @Option(
        name: .long, help: ArgumentHelp("How long it can be used; 1h unless said, at most 30d.", valueName: "time"),
        transform: {
            guard let time = Duration(configurationText: $0), time > .zero else {
                throw ValidationError("\($0) is no duration.")
            }
            return time
        })
    var lifetime: Duration?

    @Option(name: .long, help: "How many can use it.")
    var uses: UInt32 = 1

    @OptionGroup var change: ClusterChangeOptions
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        let wanted = TokenRequest(
            pattern: self.name, role: self.role.role, lifetime: self.lifetime, uses: self.uses)
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.makeToken(wanted, self.change.change)
        }
    }
}

struct NodeList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the enrolled nodes.")
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in try await console.listNodes() }
    }
}

struct NodeShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one node.")
    @Argument(help: "Its name.") var name: String
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.showNode(self.name)
        }
    }
}

struct NodeDiff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show what is desired, sent, acknowledged and served, where that differs.")
    @Argument(help: "The node.") var name: String
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.diffNode(self.name)
        }
    }
}

struct NodeRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Refuse a node, or a person, from the next call on.")
    @Argument(help: "The name.") var name: String
    @Option(name: .long, help: "node, admin or viewer.") var role = MemberRole.node
    @Flag(name: .long, help: "Do not ask.") var yes = false
    @OptionGroup var change: ClusterChangeOptions
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        var change = self.change.change
        change.isConfirmed = self.yes
        try await self.cluster.run(self.output) { [change] console throws(ConsoleFailure) in
            try await console.revoke(self.name, self.role.role, change)
        }
    }
}
