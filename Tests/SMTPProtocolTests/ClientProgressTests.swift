import TestLiterals
import Testing

@testable import SMTPProtocol

/// When a client's deadline moves (hostile-input 15).
@Suite("Progress of a client")
struct ClientProgressTests {
    private static let window = Duration.seconds(180)

    /// What becomes of the deadline when so many bytes of content come.
    private func content(_ bytes: Int, _ progress: inout ClientProgress) -> ClientProgress.Deadline {
        var session = SMTPServerSession(configuration: .init(hostName: "relay.test", offersSTARTTLS: false))
        _ = session.greet()
        var content: [UInt8] = []
        for line in ["EHLO c.test\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<b@bravo.test>\r\n", "DATA\r\n"] {
            _ = session.receive(Array(line.utf8).span, content: &content)
            _ = session.recipientDecided(.accept)
        }
        let step = session.receive([UInt8](repeating: 0x78, count: bytes).span, content: &content)
        #expect(step.consumed == bytes)
        progress.stepped(step, during: .data)
        return progress.deadline(of: .data, limit: Self.window)
    }

    @Test("Content moves the deadline once it has come at the least rate over the whole of it")
    func rate() {
        var progress = ClientProgress(leastRate: 500)
        let answers = [
            progress.deadline(of: .data, limit: Self.window), self.content(89_000, &progress),
            self.content(1000, &progress), self.content(1000, &progress),
        ]
        #expect(answers == [.move(Self.window), .unchanged, .move(Self.window), .unchanged])
    }

    @Test("A chunk that is stored meanwhile moves nothing: its bytes count as all others")
    func staging() {
        var progress = ClientProgress(leastRate: 500)
        let answers = [
            progress.deadline(of: .data, limit: Self.window), self.content(65_536, &progress),
            progress.deadline(of: .owner, limit: nil), self.content(1000, &progress), self.content(30_000, &progress),
        ]
        #expect(answers == [.move(Self.window), .unchanged, .unchanged, .unchanged, .move(Self.window)])
    }

    @Test("What waits for us has no deadline, and its end begins a new one")
    func owner() {
        var progress = ClientProgress(leastRate: 500)
        let limit = Duration.seconds(300)
        let answers = [
            progress.deadline(of: .command, limit: limit), progress.deadline(of: .owner, limit: nil),
            progress.deadline(of: .command, limit: limit),
        ]
        #expect(answers == [.move(limit), .none, .move(limit)])
    }
}
