import NIOCore
import SMTPProtocol
import Testing

@testable import Inbound

/// How long a client may take, and when it may speak (hostile-input 5, 15).
@Suite("Patience with a client", .timeLimit(.minutes(3)))
struct ClientPatienceTests {
    private static let delayed = ClientPatience(greetingDelay: .seconds(2))

    @Test("hostile-input 5: who talks before the greeting is refused instead of greeted")
    func earlyTalker() async throws {
        try await InboundClient.with(patience: Self.delayed) { client in
            #expect(try await client.codes().isEmpty)
            try await client.send("EHLO client.test\r\n")
            #expect(try await client.codes() == ["554"])
            #expect(!client.isOpen)
        }
    }

    @Test("Who waits is greeted after the delay, and served")
    func patientClient() async throws {
        try await InboundClient.with(patience: Self.delayed) { client in
            await client.advance(1)
            #expect(try await client.codes().isEmpty)
            await client.advance(1)
            #expect(try await client.codes() == ["220"])
            try await client.send("EHLO client.test\r\n")
            #expect(try await client.codes().last == "250")
            // The deadline of a command stands from the greeting on.
            await client.advance(301)
            #expect(try await client.codes() == ["421"])
        }
    }

    @Test("hostile-input 15: content that keeps the least rate goes on, slower content is answered 421")
    func leastRate() async throws {
        let line = "0123456789012345678901234567890123456789\r\n"
        for (lines, isFast) in [(1, true), (0, false)] {
            try await InboundClient.with(patience: ClientPatience(leastDataRate: 10)) { client in
                try await client.beginData()
                // 42 bytes every two seconds, or half of that in dribs.
                for step in 0..<180 {
                    if lines > 0 {
                        try await client.send(line)
                    } else {
                        try await client.send(step % 2 == 0 ? "abcdefghi" : "jklmnop\r\n")
                    }
                    await client.advance(2)
                    if !client.isOpen { break }
                }
                #expect(client.isOpen == isFast)
                #expect(try await client.codes() == (isFast ? [] : ["421"]))
            }
        }
    }

    @Test("A connection ends at its lifetime, however busy it is")
    func lifetime() async throws {
        try await InboundClient.with(patience: ClientPatience(sessionLifetime: .seconds(600))) { client in
            try await client.hello()
            for _ in 0..<50 where client.isOpen {
                try await client.send("NOOP\r\n")
                await client.advance(20)
            }
            #expect(!client.isOpen)
            #expect(try await client.codes().last == "421")
        }
    }
}
