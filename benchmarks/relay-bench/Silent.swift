import ArgumentParser
import Foundation
import LabDNS
import LabPeers
import LabRelay
import LabSupport

struct Silent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure what mail for a host that works notices of hosts and name servers that say nothing.",
        discussion: """
            Each silent host is the next hop of a domain of its own, at an address of its own unless they share one; each
            silent name server is the only one of a domain. One message waits for each; then mail for the host that works
            comes, which the relay has not met before.
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case hosts
        case nameServers = "name-servers"
        case both
    }

    @Option(name: .long, help: "Silent hosts, name servers, or so many of each.")
    var hosts = 400

    @Option(name: .long, help: "What is silent.")
    var kind = Kind.hosts

    @Flag(name: .long, help: "All domains have the same silent address.")
    var oneAddress = false

    @Option(name: .long, help: "Messages for the host that works.")
    var messages = 40

    @Option(name: .long, help: "Seconds before them.")
    var pause = 3

    @Option(name: .long, help: "Seconds that these may take.")
    var patience = 900

    @Option(name: .long, help: "Another relayd to measure.")
    var relayd: String?

    @Option(name: .long, help: "A setting of relayd as key=value in YAML; may be given again.")
    var set: [String] = []

    func validate() throws {
        guard (1...65_000).contains(self.hosts), self.messages > 0, self.patience > 0 else {
            throw ValidationError("Numbers must be above 0, and hosts at most 65000.")
        }
    }

    func run() async throws {
        let silent = try await ScriptedPeer.start(
            [.on(.greeting, .wait(.seconds(86_400)))], address: "0.0.0.0", keeping: .messageIDs)
        var options = LabRelayOptions()
        options.relayd = self.relayd.map { URL(filePath: $0) }
        let nameServers = try SilentNameServers(self.kind == .hosts ? 0 : self.hosts, below: "dead.test")
        let domains = (0..<(self.kind == .nameServers ? 0 : self.hosts)).map { number in
            let host = self.oneAddress ? 0 : number
            return "{domain: d\(number).silent.test, next-hop: \"127.32.\(host >> 8).\(host & 255):\(silent.port)\"}"
        }
        options.settings = [
            "accepted-domains": "[\(domains.joined(separator: ", "))]", "smtp.max-connection-rate": "0",
            "resolver.stubs": nameServers.stubs,
        ].merging(Dictionary(self.set.map(EndToEnd.split)) { $1 }) { $1 }
        var sink = LabDomain.dane(Bench.domain)
        sink.retention = .messageIDs
        let report = try await LabRelay.with([sink], options) { try await self.measure($0, silent) }
        withExtendedLifetime(nameServers) {}
        await silent.stop()
        print(report)
    }

    /// The domains that do not work.
    private var deadDomains: [String] {
        let hosts = self.kind == .nameServers ? [] : (0..<self.hosts).map { "d\($0).silent.test" }
        return hosts + (self.kind == .hosts ? [] : (0..<self.hosts).map { "d\($0).dead.test" })
    }

    private func measure(_ lab: LabRelay, _ silent: ScriptedPeer) async throws -> String {
        let dead = self.deadDomains
        try await self.send(dead.count, lab) { "sink@\(dead[$0])" }
        let isWaiting = await silent.wait(within: .seconds(30)) { $0.connectionCount > 0 || self.kind == .nameServers }
        guard isWaiting else { throw LabFailure("no silent host has a connection") }
        try await Task.sleep(for: .seconds(self.pause))
        let connections = silent.connectionCount
        let server = lab.peer(Bench.domain).server
        let start = ContinuousClock.now
        try await self.send(self.messages, lab) { _ in "sink@\(Bench.domain)" }
        let first = await server.wait(within: .seconds(self.patience)) { $0.messageCount > 0 }
        let firstAfter = ContinuousClock.now - start
        let areAll = await server.wait(within: .seconds(self.patience)) { $0.messageCount >= self.messages }
        let all = ContinuousClock.now - start
        return """
            silent              \(self.hosts) \(self.kind.rawValue)\(self.oneAddress ? " at one address" : ""), with \(connections) connections
            first message       \(first ? "after \(firstAfter)" : "not")
            all \(self.messages) messages     \(areAll ? "after \(all)" : "not: \(server.messageCount) in \(all)")
            """
    }

    private func send(
        _ count: Int, _ lab: LabRelay, to recipient: @escaping @Sendable (Int) -> String
    ) async throws {
        var client = LoadClient(port: lab.smtpPort, tls: try Bench.clientTLS())
        client.connections = min(20, count)
        client.messagesPerConnection = (count + client.connections - 1) / client.connections
        client.messageSize = 2048
        client.patience = .seconds(60)
        client.recipient = { recipient($0 % count) }
        let report = await client.run()
        guard report.acknowledged.count >= count else {
            throw LabFailure("not taken: \(report.refused.first?.reply ?? report.failures.first ?? "")")
        }
    }
}
