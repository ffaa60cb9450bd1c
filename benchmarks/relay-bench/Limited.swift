import ArgumentParser
import Foundation
import LabPeers
import LabRelay

struct Limited: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how mail gets to a host that takes few connections at once and answers 421 to more.")

    @Option(name: .long, help: "Connections that the host takes at once.")
    var takes = 3

    @Option(name: .long, help: "Messages.")
    var messages = 200

    @Option(name: .long, help: "Milliseconds that the host takes for each message.")
    var work = 250

    @Option(name: .long, help: "Seconds until what has not arrived counts as put off.")
    var patience = 120

    @Option(name: .long, help: "Another relayd to measure.")
    var relayd: String?

    @Option(name: .long, help: "A setting of relayd as key=value in YAML; may be given again.")
    var set: [String] = []

    func validate() throws {
        guard self.takes > 0, self.messages > 0, self.patience > 0 else {
            throw ValidationError("Numbers must be above 0.")
        }
    }

    func run() async throws {
        var options = LabRelayOptions()
        options.relayd = self.relayd.map { URL(filePath: $0) }
        options.settings = Dictionary(self.set.map(EndToEnd.split)) { $1 }
        var domain = LabDomain.dane(
            Bench.domain,
            rules: [
                ScriptedRule(takes: self.takes, beyond: [.reply("421 4.7.0 too many connections"), .close]),
                .on(.endOfData, .wait(.milliseconds(self.work)), .proceed),
            ])
        domain.retention = .messageIDs
        print(try await LabRelay.with([domain], options) { try await self.measure($0) })
    }

    private func measure(_ lab: LabRelay) async throws -> String {
        var client = LoadClient(port: lab.smtpPort, tls: try Bench.clientTLS())
        client.connections = min(20, self.messages)
        client.messagesPerConnection = self.messages / client.connections
        client.messageSize = 2048
        client.recipient = { _ in "sink@\(Bench.domain)" }
        let sink = lab.peer(Bench.domain).server
        let start = ContinuousClock.now
        let report = await client.run()
        let accepted = report.acknowledged.count
        let areAll = await sink.wait(within: .seconds(self.patience)) { $0.messageCount >= accepted }
        let elapsed = ContinuousClock.now - start
        return """
            delivered           \(sink.messageCount) of \(accepted)\(areAll ? ", in \(elapsed)" : "")
            put off             \(accepted - sink.messageCount)
            connections         \(sink.connectionCount), of them \(sink.refusedCount) refused
            """
    }
}
