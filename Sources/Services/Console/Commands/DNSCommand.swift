package import ArgumentParser

/// What nodes know of the DNS.
package struct DNS: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "dns",
        abstract: "Change what nodes know of the DNS, through a controller or the queue's database.",
        subcommands: [DNSFlushCommand.self])

    package init() {}
}

struct DNSFlushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush", abstract: "Have every node look a name up anew, past all caches.",
        discussion: """
            NAME is a domain of recipients, a mail exchanger or any other name: its answers of every type are meant, those of \
            service names below it, such as its TLSA records, and what came to it by aliases. Nodes learn of it \
            within a second. Each time costs a node all that its resolver knows; ten at once are done, and then one in \
            10 s, the others together. Through a controller \
            it takes the role admin, and on the database a login in the group relay_admin. `relayctl queue retry` does this for \
            all that leads to the hosts of its entries. Exit codes: 0, 1 failed, 64 usage, 69 no controller or database, 75 try again, \
            77 denied, 78 configuration.
            """)

    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions
    @Argument(help: "The name, as people write it.") var name: String?

    @Flag(name: .long, help: "All names below it, too.")
    var subdomains = false

    @Flag(name: .long, help: "Every name.")
    var everything = false

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    @Option(name: .long, help: "Why, for the record.")
    var reason: String?

    func run() async throws {
        var request = DNSFlushRequest(self.name, by: QueueActionOptions.actor)
        request.includesSubdomains = self.subdomains
        request.isEverythingMeant = self.everything
        request.isConfirmed = self.yes
        request.reason = self.reason
        try await self.connection.run(self.output) { [request] (console) throws(ConsoleFailure) in
            try await console.flush(request)
        }
    }
}
