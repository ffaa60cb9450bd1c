import Admission
import DeliveryQueue
import LabPeers
import LabSupport
import Logging
import MailModel
import NodeState
import QueueStore
import SMTPProtocol
import ServiceSupport
import Telemetry
import TestLiterals
import Testing

@testable import Delivery

/// What rules of operators do not do, and what waits until they are known.
@Suite("Bounds of standing rules", .timeLimit(.minutes(3)))
struct StandingRuleBoundsTests {
    private static func watch(_ queue: DeliveryFixture) -> StandingRulesWatch { queue.rulesWatch() }

    @Test(
        "A bounce of many domains leaves the reports on what it gives up alone; one that names their domain does not",
        arguments: [("*", 1), ("*.test", 1), ("alpha.test", 0)])
    func reports(_ scope: String, delivered: Int) async throws {
        let scope = try #require(QueueRule.Scope(scope, domainName: { DomainName($0) }))
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("alpha.test", peer)]) { queue in
                _ = try await queue.operators().make(
                    .bounce, scope, until: .after(.seconds(60)), by: "olga@ops", because: "disk full")
                #expect(await Self.watch(queue).look())
                try await queue.enqueue(to: "alpha.test")
                let destination = try queue.destination("alpha.test")
                await destination.run()
                // Its report, which has no sender, goes to the same domain.
                await (try queue.destination("alpha.test")).run()
                #expect(try await queue.waiting() == 0)
                #expect(peer.messageCount == delivered)
            }
        }
    }

    @Test("Mail that a bounce of many domains passes over waits while its domain is suspended")
    func suspendedReports() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("alpha.test", peer)]) { queue in
                let watch = Self.watch(queue)
                let rule = try await queue.make(.suspend, "alpha.test", watch)
                _ = try await queue.operators().make(
                    .bounce, .everything, until: .after(.seconds(60)), by: "olga@ops", because: "disk full")
                #expect(await watch.look())
                for sender in ["alice@alpha.test", ""] { try await queue.enqueue(to: "alpha.test", from: sender) }
                for _ in 0..<2 { await (try queue.destination("alpha.test")).run() }
                #expect(peer.connectionCount == 0)
                #expect(try await queue.waiting() == 2, "the report, and what had no sender from the start")
                _ = try await queue.operators().lift([rule.id], by: "olga@ops", because: nil)
                #expect(await watch.look())
                await (try queue.destination("alpha.test")).run()
                #expect(try await queue.waiting() == 0)
                #expect(peer.messageCount == 2)
            }
        }
    }

    @Test("An attempt that was interrupted gets its outcome first: a bounce gives its mail up at the next step")
    func interrupted() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                let id = try await queue.enqueue(to: "bravo.test")
                try await queue.interruptAttempts(for: "bravo.test")
                try await queue.make(.bounce, "bravo.test", Self.watch(queue))
                await (try queue.destination("bravo.test")).run()
                let store = queue.store
                #expect(try await store.trace(of: id).last?.kind == .defer)
                #expect(try await queue.listing().first?.attempts == 1)
                try await queue.makeDue("bravo.test")
                await (try queue.destination("bravo.test")).run()
                #expect(try await store.trace(of: id).last?.reason == "failed-by-operator")
                #expect(try await queue.waiting(for: "bravo.test") == 0)
                #expect(peer.connectionCount == 0)
            }
        }
    }

    @Test("Before rules have been read once no delivery begins, which is said once")
    func notReadYet() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], knowsRules: false) { queue in
                let log = RecordedLog()
                let watch = queue.rulesWatch(log.logger)
                try await queue.script("ALTER TABLE relay.queue_rule RENAME TO gone")
                for _ in 0..<2 { #expect(await !watch.look()) }
                #expect(log.lines.map(\.level) == [.warning] && !queue.parts.gate.isOpen)
                try await queue.enqueue(to: "bravo.test")
                let destination = try queue.destination("bravo.test")
                async let working: Void = destination.run()
                try await Task.sleep(for: .seconds(2))
                #expect(peer.connectionCount == 0)
                try await queue.script("ALTER TABLE relay.gone RENAME TO queue_rule")
                for _ in 0..<2 { #expect(await !watch.look(), "there is no rule") }
                #expect(log.lines.map(\.level) == [.warning, .notice])
                await working
                #expect(peer.messageCount == 1)
            }
        }
    }

    @Test(
        "The next hop of a suspended domain is not asked about recipients: what it said before counts, else nobody knows"
    )
    func callAhead() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                var state = queue.parts.hosts.state.current
                state.policy.domains["bravo.test"]?.verification = .callAhead
                queue.parts.hosts.state.replace(with: state)
                func service(acceptsUnsure: Bool) -> CallAheadService {
                    queue.callAhead(
                        CallAheadService.Limits(
                            deadline: .seconds(60),
                            table: .init(positiveTime: .seconds(3600), negativeTime: .seconds(3600), entries: 10),
                            connections: 10, connectionsPerDomain: 10, acceptsUnsure: acceptsUnsure))
                }
                let (strict, lenient) = (service(acceptsUnsure: false), service(acceptsUnsure: true))
                async let _: Void = strict.run()
                async let _: Void = lenient.run()
                #expect(await strict.decide("bob@bravo.test", of: "bravo.test") == .accept)
                try await queue.make(.suspend, "bravo.test", Self.watch(queue))
                #expect(await strict.decide("bob@bravo.test", of: "bravo.test") == .accept, "it is known")
                let decision = await strict.decide("carol@bravo.test", of: "bravo.test")
                #expect(decision == .refuse(CallAheadVerdict.notNow))
                #expect(await lenient.decide("carol@bravo.test", of: "bravo.test") == .accept)
                #expect(peer.connectionCount == 1)
            }
        }
    }
}
