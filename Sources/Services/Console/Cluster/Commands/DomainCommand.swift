package import ArgumentParser
import MailModel

/// The domains of the cluster.
package struct Domain: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "domain", abstract: "List, show and change the domains whose mail the cluster takes from anyone.",
        discussion: """
            To read takes a credential of the role viewer, to change one of the role admin. A change that was made on a \
            version that is no longer the latest is refused. Exit codes: 0, 1 failed, 64 usage, 65 no such domain or bad \
            data, 69 no controller, 75 try again or not served in time, 77 denied, 78 no context.
            """,
        subcommands: [DomainAdd.self, DomainList.self, DomainShow.self, DomainRemove.self, DomainApply.self])

    package init() {}
}

struct DomainAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a domain that is not there yet.",
        discussion: "The options say what the keys of accepted-domains in relayd.yaml say.")

    @Argument(help: "The domain, as people write it.") var name: String

    @Option(
        name: .long, help: "Where its mail goes: mx, a host or an address, with or without a port; mx unless given.")
    var nextHop: String?

    @Option(
        name: .long, help: "Which recipients exist: any, call-ahead (the next hop is asked) or list; any unless given.")
    var recipients: RecipientsChoice?

    @Option(name: .long, help: "With --recipients list: the file with one local part a line.")
    var recipientsFile: String?

    @Option(name: .long, help: "What TLS its next hop owes: opportunistic, encrypt, dane or verify.")
    var tls: TLSChoice?

    @Option(name: .long, help: "With --tls verify: the name in the certificate.")
    var tlsName: String?

    @Option(name: .long, help: "With --tls verify: the PEM file of authorities; the system's unless given.")
    var tlsCaFile: String?

    @Option(name: .long, help: "Whether content may go by BDAT: true or false.")
    var chunking: Bool?

    @OptionGroup var change: ClusterChangeOptions
    @OptionGroup var waiting: ClusterWaitOptions
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func validate() throws {
        guard (self.recipients == .list) == (self.recipientsFile != nil) else {
            throw ValidationError("--recipients list and --recipients-file go together.")
        }
    }

    func run() async throws {
        var change = self.change.change
        change.wait = self.waiting.time
        try await self.cluster.run(self.output) { [change] console throws(ConsoleFailure) in
            try await console.addDomain(self.name, settings: self.settings, change)
        }
    }

    private var settings: [(key: String, value: String)] {
        let recipients = self.recipientsFile.map { "{file: \(JSONText.quoted($0))}" } ?? self.recipients?.rawValue
        let texts = [
            ("next-hop", self.nextHop), ("tls", self.tls?.rawValue), ("tls-name", self.tlsName),
            ("tls-ca-file", self.tlsCaFile),
        ].compactMap { key, value in value.map { (key: key, value: JSONText.quoted($0)) } }
        return texts + (recipients.map { [(key: "recipients", value: $0)] } ?? [])
            + (self.chunking.map { [(key: "chunking", value: "\($0)")] } ?? [])
    }
}

/// Which recipients of a domain exist.
enum RecipientsChoice: String, CaseIterable, ExpressibleByArgument {
    case any, list
    case callAhead = "call-ahead"
}

/// What TLS a next hop owes.
enum TLSChoice: String, CaseIterable, ExpressibleByArgument {
    case opportunistic, encrypt, dane, verify
}

struct DomainList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the domains.")
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in try await console.listDomains() }
    }
}

struct DomainShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one domain.")
    @Argument(help: "The domain.") var name: String
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.showDomain(self.name)
        }
    }
}

struct DomainRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a domain: its mail is refused from then on.")
    @Argument(help: "The domain.") var name: String
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
            try await console.removeDomain(self.name, change)
        }
    }
}

struct DomainApply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Have domains be as a file says, and print what that changes.",
        discussion: """
            The file is YAML with the key accepted-domains, as relayd.yaml has it; files that it names are relative to its \
            folder. Domains that it does not name stay as they are. Again with the same file, nothing changes.
            """)
    @Argument(help: "The file.") var file: String
    @OptionGroup var change: ClusterChangeOptions
    @OptionGroup var waiting: ClusterWaitOptions
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        var change = self.change.change
        change.wait = self.waiting.time
        try await self.cluster.run(self.output) { [change] console throws(ConsoleFailure) in
            try await console.applyDomains(file: self.file, change)
        }
    }
}
