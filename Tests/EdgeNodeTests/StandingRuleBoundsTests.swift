import DeliveryQueue
import Lab
import Logging
import MailModel
import NIOPosix
import QueueStore
import SMTPProtocol
import Telemetry
import Testing

@testable import EdgeNode

/// What rules of operators do not do, and what waits until they are known.
@Suite("Bounds of standing rules", .timeLimit(.minutes(3)))
struct StandingRuleBoundsTests {
    private static func watch(_ queue: DeliveryFixture) -> StandingRulesWatch {
        StandingRulesWatch(environment: queue.environment, health: queue.health)
    }

    @Test("Before rules have been read once no delivery begins, which is said once")
    func notReadYet() async throws {
        try await ScriptedPeer.with { peer in
            try await DeliveryFixture.run([("bravo.test", peer)], knowsRules: false) { queue in
                let log = RecordedLog()
                var environment = queue.environment
                environment.logger = log.logger
                let watch = StandingRulesWatch(environment: environment, health: queue.health)
                try await queue.script("ALTER TABLE relay.queue_rule RENAME TO gone")
                for _ in 0..<2 { #expect(await !watch.look()) }
                #expect(log.lines.map(\.level) == [.warning] && !environment.mayDeliver)
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
}
