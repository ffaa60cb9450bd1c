import DeliveryQueue
import LabPeers
import LabSupport
import MailModel
import QueueStore
import ShardLeases
import Telemetry
import TestLiterals
import Testing

@testable import Delivery

/// What a node does about the rules that operators make in the database.
@Suite("Standing rules of operators", .timeLimit(.minutes(3)))
struct StandingRulesTests {
    private static func watch(_ queue: DeliveryFixture) -> StandingRulesWatch { queue.rulesWatch() }

    @Test("Of a suspended domain nothing is attempted, and it is told so; lifted, it is delivered")
    func suspend() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                let watch = Self.watch(queue)
                #expect(await !watch.look(), "there is no rule")
                let rule = try await queue.make(.suspend, "bravo.test", watch)
                #expect(await !watch.look(), "nothing has changed")
                try await queue.enqueue(to: "bravo.test")
                await (try queue.destination("bravo.test")).run()
                #expect(peer.connectionCount == 0)
                let entry = try #require(try await queue.listing().first)
                #expect(entry.state == .deferred && entry.attempts == 0 && entry.nextAttempt == rule.until)
                #expect(entry.waitsFor == "suspended" && entry.suspendedBecause == "disk full")
                #expect(queue.health.remarks.count == 1)

                let lifted = try await queue.operators().lift([rule.id], by: "olga@ops", because: nil)
                #expect(lifted == 1)
                #expect(await watch.look())
                await (try queue.destination("bravo.test")).run()
                #expect(peer.messageCount == 1)
                #expect(try await queue.waiting() == 0)
                #expect(queue.health.remarks.isEmpty)
            }
        }
    }

    @Test("A delivery that waits for a connection has not begun: suspended, it is given back")
    func waitsForConnection() async throws {
        let stalled = ScriptedRule.on(.endOfData, connection: 1, .stall(.seconds(120)), .proceed)
        try await ScriptedPeer.with([stalled]) { peer in
            try await DeliveryFixture.run(
                [("alpha.test", peer), ("bravo.test", peer)], { $0.connectionsPerSite = 1 }
            ) { queue in
                let watch = Self.watch(queue)
                try await queue.enqueue(to: "alpha.test")
                let first = try queue.destination("alpha.test")
                async let busy: Void = first.run()
                #expect(await peer.wait { $0.commands.contains("DATA") })
                try await queue.enqueue(to: "bravo.test")
                let second = try queue.destination("bravo.test")
                async let waiting: Void = second.run()
                #expect(try await queue.waitUntilAwaited(peer))
                try await queue.make(.suspend, "bravo.test", watch)
                await second.heedRules()
                await waiting
                #expect(try await queue.waiting(for: "bravo.test") == 1)
                peer.endStalls()
                await busy
                #expect(peer.messageCount == 1, "what was under way is finished")
            }
        }
    }

    @Test("A rule that is lifted while its destination still works lets it go on")
    func liftedMeanwhile() async throws {
        let stalled = ScriptedRule.on(.endOfData, connection: 1, .stall(.seconds(120)), .proceed)
        try await ScriptedPeer.with([stalled]) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], { $0.connectionsPerDestination = 1 }) { queue in
                let watch = Self.watch(queue)
                for _ in 0..<2 { try await queue.enqueue(to: "bravo.test") }
                let destination = try queue.destination("bravo.test")
                async let working: Void = destination.run()
                #expect(await peer.wait { $0.commands.contains("DATA") })
                let rule = try await queue.make(.suspend, "bravo.test", watch)
                await destination.heedRules()
                _ = try await queue.operators().lift([rule.id], by: "olga@ops", because: nil)
                #expect(await watch.look())
                await destination.heedRules()
                peer.endStalls()
                await working
                #expect(try await queue.waiting() == 0)
                #expect(peer.messageCount == 2)
            }
        }
    }

    @Test("Suspended mail expires as ever, with 5.3.2 and the reason")
    func expires() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                let watch = Self.watch(queue)
                try await queue.make(.suspend, "bravo.test", watch)
                let id = try await queue.enqueue(to: "bravo.test")
                try await queue.age("bravo.test", by: .seconds(6 * 86_400))
                await (try queue.destination("bravo.test")).run()
                #expect(peer.connectionCount == 0)
                let event = try #require(try await queue.store.trace(of: id).last)
                #expect(event.kind == .fail && event.reason == "suspended-by-operator")
                #expect(event.status == EnhancedStatusCode(.permanentFailure, 3, 2))
                #expect(event.reply?.contains("disk full") == true)
                #expect(try await queue.waiting(for: "alpha.test") == 1, "a report to the sender")
            }
        }
    }

    @Test("The trace of a delay notice has the next attempt at the end of the suspension, and none where it has no end")
    func nextAttempt() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer), ("charlie.test", peer)]) { queue in
                let watch = Self.watch(queue)
                let ends = try await queue.make(.suspend, "bravo.test", watch)
                try await queue.make(.suspend, "charlie.test", watch, until: .lifted)
                for (domain, moment) in [("bravo.test", ends.until), ("charlie.test", nil)]
                    as [(DomainName, Timestamp?)]
                {
                    let id = try await queue.enqueue(to: domain)
                    try await queue.age(domain, by: .seconds(5 * 3600))
                    await (try queue.destination(domain)).run()
                    let event = try #require(try await queue.store.trace(of: id).last)
                    #expect(event.kind == .defer && event.reason == "suspended-by-operator")
                    #expect(event.nextAttempt == moment)
                    #expect(try await queue.waiting(for: domain) == 1)
                }
                #expect(try await queue.waiting(for: "alpha.test") == 2, "reports to the sender")
                #expect(peer.connectionCount == 0)
            }
        }
    }

    @Test("Mail for a bounced domain is given up as by an operator's own word, without asking anybody")
    func bounce() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                let watch = Self.watch(queue)
                try await queue.make(.suspend, "bravo.test", watch)
                try await queue.make(.bounce, "bravo.test", watch)
                let id = try await queue.enqueue(to: "bravo.test")
                await (try queue.destination("bravo.test")).run()
                #expect(peer.connectionCount == 0)
                let event = try #require(try await queue.store.trace(of: id).last)
                #expect(event.kind == .fail && event.reason == "failed-by-operator")
                #expect(event.reply?.contains("disk full") == true)
                #expect(try await queue.waiting(for: "bravo.test") == 0)
            }
        }
    }

    @Test("Rules that cannot be read stay as they are known, and end at their time all the same")
    func unread() async throws {
        try await DeliveryFixture.run { queue in
            let watch = Self.watch(queue)
            _ = try await queue.operators().make(
                .suspend, .everything, until: .after(.seconds(4)), by: "olga@ops", because: "disk full")
            #expect(await watch.look())
            try await queue.script("ALTER TABLE relay.queue_rule RENAME TO gone")
            #expect(await !watch.look())
            let clock = queue.parts.clock
            #expect(queue.parts.gate.standing.suspension(of: "bravo.test", at: clock.now) != nil)
            #expect(
                await eventually { queue.parts.gate.standing.suspension(of: "bravo.test", at: clock.now) == nil })
            #expect(await watch.look(), "it has ended")
        }
    }
}
