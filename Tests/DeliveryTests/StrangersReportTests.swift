import LabPeers
import LabSupport
import MailModel
import OperatingSystem
import QueueStore
import ServiceSupport
import TestLiterals
import Testing

@testable import Delivery

/// What the messages of strangers bring to whoever they name as the sender, and what it takes of the node.
@Suite("Reports on strangers' messages", .timeLimit(.minutes(3)))
struct StrangersReportTests {
    private static func message(to domains: [DomainName], recipientsEach: Int, bytes: Int) -> AcceptedMessage {
        var attributes = MessageAttributes()
        attributes.clientAddress = "192.0.2.1"
        let header = "Subject: x\r\nX-Filler: \(String(repeating: "x", count: 900))\r\n\r\n"
        let line = String(repeating: "y", count: 78) + "\r\n"
        let body = header + String(repeating: line, count: max(0, bytes - header.utf8.count) / 80)
        return AcceptedMessage(
            id: MessageID(at: .systemNow, random: .random(in: .min ... .max)), sender: "victim@victim.test",
            attributes: attributes,
            entries: domains.map { domain in
                AcceptedEntry(
                    domain: domain,
                    recipients: (0..<recipientsEach).map { QueueRecipient(address: "user\($0)@\(domain)") })
            }, body: .inline(Array(body.utf8)))
    }

    @Test(
        "1,000 unknown recipients at 250 domains: a first report, and others no larger than the message (field A3)",
        arguments: [1000, 30_000])
    func manyDomains(_ size: Int) async throws {
        let domains = (0..<250).map { DomainName("d\($0).test") }
        try await ScriptedPeer.with([.on(.everyRecipient, .reply("550 5.1.1 No such user"))]) { peer in
            try await DeliveryFixture.run(domains.map { ($0, peer) }) { queue in
                let message = Self.message(to: domains, recipientsEach: 4, bytes: size)
                try await queue.enqueue(message)
                try await queue.poll(Set(domains))
                let reports = try await queue.listing()
                #expect(reports.allSatisfy { $0.key.domain == "victim.test" && $0.sender.isEmpty })
                let sizes = reports.map(\.size)
                let largest = try #require(sizes.max(), "the first report comes")
                #expect(sizes.reduce(0, +) - largest <= message.size)
                #expect(size < 2000 ? sizes.count == 1 : sizes.count > 1, "\(sizes)")
                let trace = try await queue.store.trace(of: message.id)
                let dropped = trace.filter { $0.kind == .drop }
                #expect(dropped.count == 250 - reports.count)
                #expect(
                    dropped.allSatisfy { $0.reason == "report-limit" && $0.reply?.hasSuffix("each message") == true })
                #expect(trace.count { $0.kind == .fail } == 250)
            }
        }
    }

    @Test("The reports that this node writes wait for their half of the connections, and no other mail does (field A3)")
    func reportsKeepToTheirHalf() async throws {
        try await ScriptedPeer.with([.on(.everyRecipient, .reply("550 5.1.1 No such user"))]) { unknown in
            try await ScriptedPeer.with { victim in
                try await DeliveryFixture.run([("unknown.test", unknown), ("victim.test", victim)]) { queue in
                    for _ in 0..<5 {
                        try await queue.enqueue(Self.message(to: ["unknown.test"], recipientsEach: 1, bytes: 1000))
                    }
                    try await queue.poll(["unknown.test"])
                    #expect(try await queue.waiting(for: "victim.test") == 5)
                    try await queue.enqueue(to: "victim.test")
                    var taken = 0
                    while queue.parts.destinations.nullSenders.take() { taken += 1 }
                    #expect(taken == 100)
                    #expect(queue.shortages.lines.isEmpty)

                    let destination = try queue.destination("victim.test")
                    async let working: Void = destination.run()
                    let isDelivered = await victim.wait(within: .seconds(60)) { $0.messageCount > 0 }
                    #expect(isDelivered)
                    #expect(victim.received.map(\.reversePath) == ["alice@alpha.test"])
                    await working
                    #expect(try await queue.waiting(for: "victim.test") == 5)
                    // And it is said which limit keeps them.
                    #expect(queue.shortages.lines.first?.metadata["limit"] == "null_sender_deliveries")

                    // A walk reads them all in vain; the next ones pass them over.
                    let supervisor = TaskSupervisor(backlog: 10)
                    async let running: Void = supervisor.run()
                    let shard = try queue.shard(of: "victim.test", supervisor)
                    #expect(await shard.walked("victim.test"))
                    supervisor.close()
                    await running
                    #expect(await shard.walked("victim.test"), "it looks, though there is no slot for that")
                    #expect(await !shard.due("victim.test"), "new mail is looked for")
                    for _ in 0..<taken { queue.parts.destinations.nullSenders.release() }
                    try await queue.poll(["victim.test"])
                    #expect(victim.received.dropFirst().map(\.reversePath) == Array(repeating: "", count: 5))
                    #expect(try await queue.waiting() == 0)
                }
            }
        }
    }
}
