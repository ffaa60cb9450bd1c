import ArgumentParser
import Console
import Foundation
import MailModel
import NodeState
import OperatingSystem
import OperatorCommands
import RelayConfiguration

/// The configuration of a node, as its file and this environment give it.
struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain, check and show the configuration of relayd; get and set what all nodes of a cluster share.",
        discussion: """
            defaults, check, show and exceptions are about the settings on this machine, and need no database. Beside a \
            running node they say what the node would find at its next start. get, set and diff are about the settings \
            that all nodes of a cluster share, and go through its controller. Exit codes: 0, 1 failed, 64 usage, 65 bad \
            data, 69 no controller, 75 try again or not served in time, 77 denied, 78 the configuration is not good, or no \
            context.
            """,
        subcommands: [
            ConfigDefaults<RelaydConfiguration>.self, ConfigCheck<NodeSettingsCheck>.self,
            ConfigShow<RelaydConfiguration>.self, ConfigExceptions.self,
            ConfigGet.self, ConfigSet.self, ConfigDiff.self,
        ])
}

/// Where mail goes without what DANE or the settings demand, by the operator's word.
struct ConfigExceptions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exceptions",
        abstract: "List the domains that are exempt from TLS or DNSSEC: why, until when, and if that time has passed.",
        discussion: """
            These are the entries of delivery.tls-exceptions and resolver.unvalidated-domains. POLICY is what applies without \
            the exception: `dnssec`, or what the settings demand of TLS, beside what DANE demands of the domain's hosts.
            """)

    @OptionGroup var options: ConfigurationOptions<RelaydConfiguration>
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        let exceptions = try self.options.load().exceptions(at: .systemNow).map { exception in
            PolicyException(
                domain: exception.domain, setting: exception.key, policies: exception.policies,
                reason: exception.reason,
                until: exception.until, isExpired: exception.isExpired, place: "\(exception.source)")
        }
        var terminal = ConsoleTerminal.ofThisProcess
        terminal.style = .ofThisProcess(self.output.color)
        do throws(ConsoleFailure) {
            try PolicyException.write(exceptions, self.output.output, to: terminal)
        } catch {
            Terminal.complain("relayctl: \(error)")
            throw ExitCode(error.status.rawValue)
        }
    }
}
