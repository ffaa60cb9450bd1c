package import ArgumentParser

/// The settings that all nodes of the cluster share.
package struct ConfigGet: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Print the settings that all nodes of a cluster share, as a file for `config set`.")
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    package init() {}

    package func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in try await console.showSettings() }
    }
}

package struct ConfigSet: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Have the settings that all nodes of a cluster share be as a file says.",
        discussion: """
            The file is YAML with keys of relayd.yaml: relay-networks, dsn.postmaster, delivery.destinations, \
            delivery.tls-exceptions and tls.required. A key that does not stand there gets its default.
            """)
    @Argument(help: "The file.") var file: String
    @OptionGroup var change: ClusterChangeOptions
    @OptionGroup var waiting: ClusterWaitOptions
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    package init() {}

    package func run() async throws {
        var change = self.change.change
        change.wait = self.waiting.time
        try await self.cluster.run(self.output) { [change] console throws(ConsoleFailure) in
            try await console.setSettings(file: self.file, change)
        }
    }
}

package struct ConfigDiff: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show what `config set` with this file would change.")
    @Argument(help: "The file.") var file: String
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    package init() {}

    package func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.diffSettings(file: self.file)
        }
    }
}
