import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

extension Trait where Self == SharedLab {
    /// The receiving hosts of `ClientTests`, each with its own idea of SMTP.
    fileprivate static var clientWorld: Self {
        .lab([
            .dane("narrow.test", rules: [.offer(extensions + ["LIMITS RCPTMAX=2 MAILMAX=3"])]),
            .dane("crowded.test", rules: [.on(.recipient(3), .reply("452 4.5.3 Too many recipients"))]),
        ])
    }

    private static var extensions: [String] { ["PIPELINING", "SIZE 52428800", "8BITMIME", "STARTTLS"] }
}

/// What the sender makes of what receiving hosts offer, limit and refuse, with the running binary.
@Suite("SMTP client", .clientWorld, .timeLimit(.minutes(2)))
struct ClientTests {
    @Test("RCPTMAX and MAILMAX: one attempt is as many transactions and connections as the host's limits ask for")
    func limits() async throws {
        let lab = try SharedLab.lab
        let recipients = (1...8).map { "r\($0)@narrow.test" }
        let id = try await lab.submit(from: "alice@narrow.test", to: recipients)
        let trace = try await lab.wait(for: id) { Self.told($0, .send).count == 8 }
        #expect(Self.told(trace, .send) == recipients)
        #expect(trace.allSatisfy { $0.kind == .receive || $0.attempt == 1 })
        let mails = lab.peer("narrow.test").server.received
        #expect(mails.map(\.recipients) == stride(from: 0, to: 8, by: 2).map { Array(recipients[$0..<($0 + 2)]) })
        #expect(mails.map(\.connection) == [1, 1, 1, 2])
    }

    @Test(
        "452 to one recipient too many: the others follow at once, in transactions that are as large as the host takes")
    func tooManyRecipients() async throws {
        let lab = try SharedLab.lab
        let recipients = (1...5).map { "r\($0)@crowded.test" }
        let id = try await lab.submit(from: "alice@crowded.test", to: recipients)
        let trace = try await lab.wait(for: id) { Self.told($0, .send).count == 5 }
        #expect(trace.allSatisfy { $0.kind == .receive || $0.attempt == 1 })
        #expect(Set(Self.told(trace, .send)) == Set(recipients))
        #expect(Set(lab.peer("crowded.test").server.received.flatMap(\.recipients)) == Set(recipients))
        #expect(!lab.peer("crowded.test").server.received.contains { $0.recipients.count > 4 })
    }

    /// The recipients of all events of a kind, in order.
    private static func told(_ trace: [TraceEvent], _ kind: TraceEvent.Kind) -> [String] {
        trace.filter { $0.kind == kind }.flatMap { $0.recipients.split(separator: " ").map(String.init) }
    }
}
