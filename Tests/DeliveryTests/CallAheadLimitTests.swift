import Admission
import LabPeers
import LabSupport
import Logging
import MailModel
import NodeState
import SMTPProtocol
import ServiceSupport
import Telemetry
import TestLiterals
import Testing

@testable import Delivery

/// What is seen of questions about recipients that are not asked, since too many are under way.
@Suite("Call-ahead at its limits", .timeLimit(.minutes(3)))
struct CallAheadLimitTests {
    private typealias Limits = CallAheadTable<CheckedContinuation<CallAheadVerdict, Never>>.Limits

    /// Limits of which the second question about one silent domain reaches one, at one question.
    private static func limits(reaching label: VerificationLimitLabel) -> Limits {
        var limits = Limits(positiveTime: .seconds(100), negativeTime: .seconds(10), entries: 10)
        switch label {
        case .all: limits.questions = 1
        // A quarter of what a domain has that answers.
        case .domain: limits.questionsPerDomain = 4
        case .unanswered: limits.questions = 2
        }
        return limits
    }

    @Test(
        "A question that is not asked counts as not answered, at once; a metric counts each, and the log names the limit once (field A4)",
        arguments: [VerificationLimitLabel.all, .domain, .unanswered])
    func refused(_ label: VerificationLimitLabel) async throws {
        try await ScriptedPeer.with([.on(.greeting, .wait(.seconds(3600)))]) { silent in
            try await DeliveryFixture.run([("bravo.test", silent)]) { queue in
                let log = RecordedLog()
                var hosts = queue.parts.hosts
                var state = hosts.state.current
                state.policy.domains["bravo.test"]?.verification = .callAhead
                hosts.state = Replaceable(state)
                let service = queue.callAhead(
                    CallAheadService.Limits(
                        deadline: .seconds(3600), table: Self.limits(reaching: label), connections: 10,
                        connectionsPerDomain: 10, acceptsUnsure: false),
                    hosts: hosts, logger: log.logger)
                async let _ = service.decide("bob@bravo.test", of: "bravo.test")
                // It ends before the question does, as in a node that stops.
                async let _: Void = service.run()
                #expect(await silent.wait { $0.connectionCount == 1 })
                for address: Mailbox in ["carol@bravo.test", "dave@bravo.test"] {
                    let decision = await service.decide(address, of: "bravo.test")
                    #expect(decision == .refuse(CallAheadVerdict.notNow))
                }
                let metrics = queue.metrics
                #expect(metrics.smtpdVerificationsRefused[label].value == 2)
                #expect(metrics.smtpdVerifications[.unsure].value == 2)
                #expect(log.lines.filter { $0.metadata["limit"] == label.rawValue }.count == 1)
                let line = try #require(log.lines.first { $0.metadata["limit"] != nil })
                #expect(line.level == .warning && line.metadata["size"] == "1")
            }
        }
    }
}
