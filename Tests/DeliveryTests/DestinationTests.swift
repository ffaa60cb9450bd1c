import ClusterModel
import DeliveryQueue
import LabPeers
import LabSupport
import MailModel
import NIOCore
import NIOPosix
import OperatingSystem
import QueueStore
import ServiceSupport
import ShardLeases
import TestLiterals
import Testing

@testable import Delivery

/// One destination with a queue and receiving hosts that are real.
@Suite("Destination", .timeLimit(.minutes(3)))
struct DestinationTests {
    private static let slow = ScriptedRule.on(.endOfData, .wait(.milliseconds(50)), .proceed)

    @Test("Everything due is delivered once, over no more connections than there may be; then it has ended")
    func worksOff() async throws {
        try await ScriptedPeer.with([Self.slow]) { peer in
            try await DeliveryFixture.run(
                [("bravo.test", peer)], { $0.connectionsPerDestination = 3 }, idleTime: .seconds(600)
            ) { queue in
                for _ in 0..<20 { try await queue.enqueue(to: "bravo.test") }
                let destination = try queue.destination("bravo.test")
                await destination.run()
                #expect(peer.messageIDs.values.allSatisfy { $0 == 1 } && peer.messageIDs.count == 20)
                #expect(peer.connectionCount <= 3)
                #expect(try await queue.waiting() == 0)
                #expect(await !destination.wake())
            }
        }
    }

    @Test("An attempt that was broken off for our own lease is told as that, and made again within a lease's life")
    func withdrawn() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                let id = try await queue.enqueue(to: "bravo.test")
                queue.leasesPermitFinalDots(false)
                await (try queue.destination("bravo.test")).run()
                #expect(peer.messageCount == 0)
                let event = try #require(try await queue.store.trace(of: id).last)
                #expect(event.kind == .defer && event.reply?.contains("the lease is too short") == true)
                let wait = try #require(event.nextAttempt) - (try #require(event.at))
                #expect(wait <= queue.store.terms.timeToLive)
                let entry = try #require(try await queue.listing().first)
                #expect(entry.attempts == 1 && entry.nextAttempt == event.nextAttempt)

                queue.leasesPermitFinalDots(true)
                try await queue.makeDue("bravo.test")
                await (try queue.destination("bravo.test")).run()
                #expect(peer.messageCount == 1)
                let kinds = try await queue.store.trace(of: id).map(\.kind)
                #expect(kinds == [.receive, .defer, .transfer])
            }
        }
    }

    @Test(
        "After a 421 to one MAIL FROM the message behind it is delivered, and the domain is not in backoff (field B2)")
    func closedUponSender() async throws {
        let closing = ScriptedRule.on(.mail, connection: 1, .reply("421 4.7.0 not from you"), .close)
        try await ScriptedPeer.with([closing]) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.connectionsPerDestination = 1 }) { queue in
                for _ in 0..<2 { try await queue.enqueue(to: "bravo.test") }
                await (try queue.destination("bravo.test")).run()
                #expect(peer.messageCount == 1 && peer.connectionCount == 2)
                #expect(try await queue.listing().map(\.attempts) == [1], "the message itself waits a step")
                #expect(try await queue.backoff(of: "bravo.test") == nil)
            }
        }
    }

    @Test("A host that refuses BDAT gets the message by DATA at once, and all others from then on (field C4)")
    func chunkingRefused() async throws {
        let rules: [ScriptedRule] = [
            .alsoOffer("CHUNKING"), .on(.endOfData, connection: 1, .reply("502 5.5.1 BDAT is unknown here")),
        ]
        try await ScriptedPeer.with(rules) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.messagesPerConnection = 1 }) { queue in
                let id = try await queue.enqueue(to: "bravo.test")
                await (try queue.destination("bravo.test")).run()
                let trace = try await queue.store.trace(of: id)
                #expect(trace.map(\.kind) == [.receive, .defer, .transfer])
                #expect(
                    trace[1].reply
                        == "remote-reply: The destination mail server refused the message. (502 5.5.1 BDAT is unknown here)"
                )
                try await queue.enqueue(to: "bravo.test")
                await (try queue.destination("bravo.test")).run()
                #expect(peer.received.map(\.replyCode) == [502, 250, 250])
                #expect(peer.received.dropFirst().allSatisfy { $0.chunks.isEmpty })
                #expect(peer.connectionCount == 3)
            }
        }
    }

    @Test(
        "Deliveries whose BDAT is refused at the same time all go by DATA, and the domain is not held back (field C4)")
    func chunkingRefusedAtOnce() async throws {
        // Each answer comes when all three have sent their BDAT, from three senders' point of view a closing one.
        let rules: [ScriptedRule] =
            [.alsoOffer("CHUNKING")]
            + (1...3).map { .on(.endOfData, connection: $0, .stall(.seconds(120)), .reply("502 5.5.1 unknown")) }
        try await ScriptedPeer.with(rules) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.messagesPerConnection = 1 }) { queue in
                for _ in 0..<3 { try await queue.enqueue(to: "bravo.test") }
                let destination = try queue.destination("bravo.test")
                async let running: Void = destination.run()
                #expect(await peer.wait { $0.commands.count { $0.hasPrefix("BDAT") } == 3 })
                peer.endStalls()
                await running
                #expect(try await queue.waiting() == 0)
                #expect(try await queue.backoff(of: "bravo.test") == nil)
                #expect(peer.received.count { $0.replyCode == 250 } == 3)
                #expect(peer.received.count { $0.replyCode == 502 } == 3)
            }
        }
    }

    @Test("An address that stands in the queue under several names is told to the host once (field C10)")
    func repeatedRecipient() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                let id = try await queue.enqueue(
                    to: "bravo.test",
                    recipients: [
                        QueueRecipient(address: "bob@bravo.test", originalRecipient: "rfc822;one@old.test"),
                        QueueRecipient(address: "bob@bravo.test", originalRecipient: "rfc822;two@old.test"),
                        QueueRecipient(address: "carol@bravo.test"),
                    ])
                await (try queue.destination("bravo.test")).run()
                #expect(peer.received.map(\.recipients) == [["bob@bravo.test", "carol@bravo.test"]])
                let sent = try #require(try await queue.store.trace(of: id).last)
                #expect(sent.kind == .transfer && sent.recipients == "bob@bravo.test bob@bravo.test carol@bravo.test")
                #expect(try await queue.waiting() == 0)
            }
        }
    }

    @Test("With nothing due it ends at once, and is not woken any more")
    func nothingDue() async throws {
        try await DeliveryFixture.run { queue in
            let destination = try queue.destination("bravo.test")
            await destination.run()
            #expect(await !destination.wake())
        }
    }

    @Test("Mail that comes while it works is not forgotten, and goes over the connection that is there")
    func woken() async throws {
        try await ScriptedPeer.with([.on(.endOfData, .stall(.seconds(120)), .proceed)]) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.connectionsPerDestination = 1 }) { queue in
                try await queue.enqueue(to: "bravo.test")
                let destination = try queue.destination("bravo.test")
                async let running: Void = destination.run()
                #expect(await peer.wait { !$0.commands.isEmpty })
                for _ in 0..<3 { try await queue.enqueue(to: "bravo.test") }
                #expect(await destination.wake())
                peer.endStalls()
                await running
                #expect(peer.messageCount == 4)
                #expect(peer.connectionCount == 1)
            }
        }
    }

    @Test("An idle connection serves the next destination of the same host and event loop")
    func sharedConnection() async throws {
        try await ScriptedPeer.with { peer in
            let hops: [(DomainName, ScriptedPeer)] = [("bravo.test", peer), ("charlie.test", peer)]
            try await DeliveryFixture.run(hops, idleTime: .seconds(600)) { queue in
                let loop = MultiThreadedEventLoopGroup.singleton.next()
                for domain: DomainName in ["bravo.test", "charlie.test", "bravo.test"] {
                    try await queue.enqueue(to: domain)
                    await (try queue.destination(domain, on: loop)).run()
                }
                #expect(peer.messageCount == 3)
                #expect(peer.connectionCount == 1)
            }
        }
    }

    @Test("Who waits for a slot at a site holds up no stop, and its mail stays")
    func stoppedInLine() async throws {
        try await ScriptedPeer.with([.on(.endOfData, .stall(.seconds(120)), .proceed)]) { peer in
            try await DeliveryFixture.run(
                [("bravo.test", peer), ("charlie.test", peer)], { $0.connectionsPerSite = 1 }
            ) { queue in
                try await queue.enqueue(to: "bravo.test")
                try await queue.enqueue(to: "charlie.test")
                let (first, second) = (try queue.destination("bravo.test"), try queue.destination("charlie.test"))
                async let firstRuns: Void = first.run()
                #expect(await peer.wait { $0.commands.contains { $0.hasPrefix("MAIL") } })
                async let secondRuns: Void = second.run()
                #expect(try await queue.waitUntilAwaited(peer))
                await second.stop()
                await secondRuns
                #expect(peer.connectionCount == 1)
                peer.endStalls()
                await firstRuns
                #expect(peer.received.map(\.recipients) == [["bob@bravo.test"]])
                #expect(try await queue.waiting() == 1)
            }
        }
    }

    @Test(
        "What is refused a slot is taken over by the worker that has one, and nothing is lost or read again and again")
    func narrowSite() async throws {
        try await ScriptedPeer.with([Self.slow]) { peer in
            try await DeliveryFixture.run(
                [("bravo.test", peer)],
                {
                    $0.connectionsPerSite = 2
                    $0.connectionsPerDestination = 10
                }
            ) { queue in
                for _ in 0..<30 { try await queue.enqueue(to: "bravo.test") }
                await (try queue.destination("bravo.test")).run()
                #expect(peer.messageIDs.count == 30 && peer.messageIDs.values.allSatisfy { $0 == 1 })
                #expect(peer.mostConnections <= 2)
            }
        }
    }

    @Test(
        "A host that takes three connections gets all messages, and none is put off for what it refuses (field B1)",
        arguments: [
            [ScriptedRule.Act.reply("421 4.7.0 too many connections"), .close], [.close], [.reply("450 busy"), .close],
        ])
    func limitedHost(_ acts: [ScriptedRule.Act]) async throws {
        let rules = [ScriptedRule(takes: 3, beyond: acts), Self.slow]
        try await ScriptedPeer.with(rules) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                var ids: [MessageID] = []
                for _ in 0..<100 { ids.append(try await queue.enqueue(to: "bravo.test")) }
                await (try queue.destination("bravo.test")).run()
                #expect(peer.messageIDs.count == 100 && peer.messageIDs.values.allSatisfy { $0 == 1 })
                #expect(peer.refusedCount <= 9, "\(peer.refusedCount) were refused")
                for id in ids {
                    #expect(try await queue.store.trace(of: id).map(\.kind) == [.receive, .transfer])
                }
            }
        }
    }

    @Test("Domains at the same host wait for its connections together, and none is put off (field B1)")
    func limitedHostOfMany() async throws {
        let domains = (1...8).map { "d\($0).test" as DomainName }
        let rules = [ScriptedRule(takes: 2, beyond: [.reply("421 4.7.0 no"), .close]), Self.slow]
        try await ScriptedPeer.with(rules) { peer in
            try await DeliveryFixture.run(domains.map { ($0, peer) }) { queue in
                for domain in domains { for _ in 0..<5 { try await queue.enqueue(to: domain) } }
                try await withThrowingTaskGroup { group in
                    for domain in domains {
                        let destination = try queue.destination(domain)
                        group.addTask { await destination.run() }
                    }
                    try await group.waitForAll()
                }
                #expect(peer.messageCount == 40)
                #expect(peer.refusedCount <= 9, "\(peer.refusedCount) were refused")
                #expect(try await queue.waiting() == 0)
            }
        }
    }

    @Test("A host that takes nobody is a failure, and the domain is in backoff (field B1)")
    func closedHost() async throws {
        try await ScriptedPeer.with([.greet("421 4.3.2 not now")]) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                for _ in 0..<10 { try await queue.enqueue(to: "bravo.test") }
                await (try queue.destination("bravo.test")).run()
                #expect(peer.connectionCount <= 3)
                #expect(try await queue.waiting() == 10)
                #expect(try await queue.backoff(of: "bravo.test")?.failures == 1)
                // Those that only waited for a slot are none the worse for it.
                #expect(try await queue.listing().filter { $0.attempts > 0 }.count <= 3)
            }
        }
    }

    @Test("Domains at one silent address are deferred together, and keep no other domain from its turn (field A4)")
    func silentAddressOfMany() async throws {
        let domains = (1...12).map { "d\($0).test" as DomainName }
        try await ScriptedPeer.with([.on(.greeting, .wait(.seconds(3600)))]) { silent in
            try await ScriptedPeer.with { peer in
                try await DeliveryFixture.run(
                    domains.map { ($0, silent) } + [("bravo.test", peer)], { $0.greetingTime = .seconds(5) }
                ) { queue in
                    let supervisor = TaskSupervisor(backlog: 100, atOnce: 3)
                    async let running: Void = supervisor.run()
                    for domain in domains + ["bravo.test"] {
                        try await queue.enqueue(to: domain)
                        let destination = try queue.destination(domain)
                        #expect(await eventually { supervisor.submit { await destination.run() } })
                    }
                    supervisor.close()
                    await running
                    #expect(peer.messageCount == 1)
                    let waiting = try await queue.listing()
                    #expect(waiting.count == 12)
                    #expect(waiting.allSatisfy { $0.attempts == 1 && $0.lastReason == "connection-timeout" })
                    // Two may be tried at once, beside which all others are told. How many come while those wait is a matter of time.
                    var told = 0
                    for entry in waiting {
                        let last = try await queue.store.trace(of: entry.key.message).last
                        if last?.reply?.contains("as another connection") == true { told += 1 }
                    }
                    #expect(told > 0 && silent.connectionCount == 12 - told, "\(silent.connectionCount), \(told)")
                }
            }
        }
    }

    @Test("Who has waited for a connection for too long gives way, and its mail is none the worse for it (field A4)")
    func longestWait() async throws {
        try await ScriptedPeer.with([.on(.greeting, .wait(.seconds(3600)))]) { silent in
            try await DeliveryFixture.run(
                [("bravo.test", silent), ("charlie.test", silent)], { $0.connectionsPerSite = 1 }
            ) { queue in
                for domain: DomainName in ["bravo.test", "charlie.test"] { try await queue.enqueue(to: domain) }
                let (first, second) = (try queue.destination("bravo.test"), try queue.destination("charlie.test"))
                let firstRuns = Task { await first.run() }
                #expect(await silent.wait { $0.connectionCount == 1 })
                let secondRuns = Task { await second.run() }
                #expect(try await queue.waitUntilAwaited(silent))
                queue.parts.hosts.sites.look(at: .now)
                #expect(await second.wake(), "it waits")
                queue.parts.hosts.sites.look(at: .now + SiteLine.longestWait)
                await secondRuns.value
                #expect(await !second.wake())
                #expect(try await queue.listing().map(\.attempts) == [0, 0])
                queue.parts.hosts.dialer.closeAll()
                await firstRuns.value
            }
        }
    }

    @Test("Where our own resolver does not work, mail waits and is none the worse for it (rule 38)")
    func ourResolver() async throws {
        try await DeliveryFixture.run { queue in
            let id = try await queue.enqueue(to: "bravo.test")
            let destination = try queue.destination("bravo.test")
            async let running: Void = destination.run()
            let hour = queue.parts.clock.now + .seconds(3600)
            #expect(await eventually { !queue.parts.activity.snapshot(at: hour).resting.isEmpty })
            // It rests, with the entry in hand.
            #expect(await destination.wake())
            await destination.stop()
            await running
            let waiting = try #require(try await queue.listing().first)
            #expect(waiting.key.message == id && waiting.attempts == 0 && waiting.lastReason == nil)
            #expect(try await queue.store.trace(of: id).map(\.kind) == [.receive])
        }
    }
}
