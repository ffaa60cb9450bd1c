package import ArgumentParser

/// The certificates that nodes show to SMTP clients.
package struct Cert: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "cert", abstract: "Import, list and show the certificates that nodes show to SMTP clients.",
        discussion: """
            Only nodes get keys: no command shows one. Exit codes: 0, 1 failed or refused by a node, 64 usage, 65 no such \
            certificate or bad data, 69 no controller, 75 try again or not served in time, 77 denied, 78 no context.
            """,
        subcommands: [CertImport.self, CertList.self, CertShow.self])

    package init() {}
}

struct CertImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Add a certificate with its key, or replace both under the same name.",
        discussion: "Publish the TLSA record of a new key before: `cert show` prints its data.")
    @Argument(help: "A name for it.") var name: String
    @Option(name: .long, help: "The PEM file of the chain, the certificate itself first.") var chain: String
    @Option(name: .long, help: "The PEM file of its key, not encrypted.") var key: String

    @Option(name: .long, help: "Its place: 0 serves clients that name no host. A new one is the last unless given.")
    var slot: UInt32?

    @OptionGroup var change: ClusterChangeOptions
    @OptionGroup var waiting: ClusterWaitOptions
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        var change = self.change.change
        change.wait = self.waiting.time
        let wanted = CertificateImport(name: self.name, chainFile: self.chain, keyFile: self.key, slot: self.slot)
        try await self.cluster.run(self.output) { [change] console throws(ConsoleFailure) in
            try await console.importCertificate(wanted, change)
        }
    }
}

struct CertList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List certificates, in the order of their slots.")
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.listCertificates()
        }
    }
}

struct CertShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one certificate, with the data of its TLSA record.")
    @Argument(help: "Its name.") var name: String
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.showCertificate(self.name)
        }
    }
}
