import ArgumentParser
import EdgeNode

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the node until SIGTERM (the default).")

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let loaded = try self.options.load()
        try await self.runNode(loaded.configuration)
    }

    /// The one place where the node is started.
    private func runNode(_ configuration: RelaydConfiguration) async throws {
        Terminal.complain("\(configuration.node.name): the configuration is good, but this build has no node to run.")
        throw ExitCode.notImplemented
    }
}
