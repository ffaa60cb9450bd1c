import ArgumentParser
import EdgeNode

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain, check and show the configuration.",
        subcommands: [Defaults.self, Check.self, Show.self])

    struct Defaults: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print every key with its meaning and default, as YAML.")

        func run() async throws {
            // Without any source, so that neither a file nor the environment shows through.
            let loader = ConfigurationLoader.withoutSources()
            print(ConfigurationText.defaults(try loader.load().configuration), terminator: "")
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the configuration and the files it names; exit 78 and say what is wrong if it is not good."
        )

        @OptionGroup var options: ConfigurationOptions

        @Flag(name: .long, help: "Look up, too, whether mail of accepted domains without next-hop would come back.")
        var dns = false

        func run() async throws {
            let loaded = try self.options.load()
            let inFiles: [ConfigurationProblem]
            do {
                inFiles = try await EdgeNode.checkFiles(of: loaded, withDNS: self.dns)
            } catch {
                Terminal.complain("\(error)")
                throw error is ConfigurationError ? ExitCode.configuration : .failure
            }
            for warning in loaded.warnings + inFiles { Terminal.complain("warning: \(warning)") }
            Terminal.complain("The configuration is good.")
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the values in force and where each came from; secrets are left out.")

        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            print(ConfigurationText.effective(try self.options.load()), terminator: "")
        }
    }
}
