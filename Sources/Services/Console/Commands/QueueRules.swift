import ArgumentParser
import DeliveryQueue
import Foundation
import MailModel
import QueueStore
import RelayConfiguration

/// The options of standing rules.
struct QueueRuleOptions: ParsableArguments {
    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions

    @Option(name: .long, help: "The recipients' domain, or *. and one for all below it.")
    var domain: String?

    @Flag(name: .long, help: "Every domain.")
    var everything = false

    @Option(
        name: .customLong("for"), help: ArgumentHelp("For so long, such as 30m; 1h unless said.", valueName: "time"),
        transform: {
            guard let time = Duration(configurationText: $0), time > .zero else {
                throw ValidationError("\($0) is no duration.")
            }
            return time
        })
    var length: Duration?

    @Option(
        name: .long, help: ArgumentHelp("Until then, such as 2026-12-01T08:00:00Z.", valueName: "moment"),
        transform: {
            guard let date = try? Date($0, strategy: .iso8601) else {
                throw ValidationError("\($0) is no moment of RFC 3339.")
            }
            return Timestamp(seconds: Int64(date.timeIntervalSince1970))
        })
    var until: Timestamp?

    @Option(name: .long, help: "Why: for the record, and for senders and clients.")
    var reason: String

    @Flag(name: .long, help: "Only count the entries that wait.")
    var dryRun = false

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    func validate() throws {
        guard self.length == nil || self.until == nil else { throw ValidationError("--for goes without --until.") }
    }

    func run(_ action: QueueRule.Action, untilLifted: Bool = false) async throws {
        var request = RuleRequest(action, self.domain, because: self.reason, by: QueueActionOptions.actor)
        request.isEverythingMeant = self.everything
        if let length { request.end = .after(length) }
        if let until { request.end = .at(until) }
        if untilLifted { request.end = .lifted }
        request.isDryRun = self.dryRun
        request.isConfirmed = self.yes
        try await self.connection.run(self.output) { [request] (console) throws(ConsoleFailure) in
            try await console.make(request)
        }
    }
}

struct QueueSuspend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspend", abstract: "Begin no attempt to a domain, on any node, until a time.",
        discussion: """
            Nodes obey within two seconds. An attempt under way finishes with the host that it is connected to. Nodes \
            take mail, which waits as deferred. It expires, and senders hear of the delay, at the usual times. When the \
            rule ends or is lifted, deliveries go on at once. Again for the same domain, it changes the end and the reason.
            """)
    @OptionGroup var options: QueueRuleOptions

    @Flag(name: .long, help: "Until `relayctl queue resume`.")
    var untilResumed = false

    func validate() throws {
        guard !self.untilResumed || self.options.length == nil && self.options.until == nil else {
            throw ValidationError("--until-resumed goes without --for and --until.")
        }
    }

    func run() async throws { try await self.options.run(.suspend, untilLifted: self.untilResumed) }
}

struct QueueBounce: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bounce", abstract: "Give up all mail to a domain, and refuse more, until a time.",
        discussion: """
            Mail that waits is given up as by `queue fail`: senders hear 5.7.0 and the reason. Nodes refuse new recipients \
            with 550 5.7.0 and the reason. An attempt under way finishes with the host that it is connected to; its mail \
            is given up when it would be tried again. Held mail stays as it is. Mail from the null sender, such as \
            reports, is given up only by a rule that names its domain itself. A bounce comes before any suspension. \
            Again for the same domain, it changes the end and the reason.
            """)
    @OptionGroup var options: QueueRuleOptions
    func run() async throws { try await self.options.run(.bounce) }
}

struct QueueResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Lift standing rules before their time: deliveries go on at once.")
    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions

    @Option(name: .long, help: "The domain of the rules, as `queue rules` shows it.")
    var domain: String?

    @Flag(name: .long, help: "The rules about every domain, that is those made with --everything.")
    var everything = false

    @Option(name: .long, help: "The number of the rule.")
    var id: Int64?

    @Option(name: .long, help: "Why, for the record.")
    var reason: String?

    func run() async throws {
        var request = ResumeRequest(by: QueueActionOptions.actor)
        request.domain = self.domain
        request.isEverythingMeant = self.everything
        request.id = self.id
        request.reason = self.reason
        try await self.connection.run(self.output) { [request] (console) throws(ConsoleFailure) in
            try await console.resume(request)
        }
    }
}

struct QueueRulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules", abstract: "List the standing rules in force, made by suspend and bounce.")
    @OptionGroup var connection: QueueConnectionOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.connection.run(self.output) { (console) throws(ConsoleFailure) in try await console.rules() }
    }
}
