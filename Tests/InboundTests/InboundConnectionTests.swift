import Admission
import LabPeers
import MailModel
import NIOCore
import NIOEmbedded
import NodeState
import OperatingSystem
import ServiceSupport
import Synchronization
import TLSEngine
import TestLiterals
import Testing

@testable import Inbound
@testable import QueueStore

/// The handler between the socket and the session: what it reads, when it gives up, and what a client hears.
@Suite("Inbound connection", .timeLimit(.minutes(3)))
struct InboundConnectionTests {
    @Test("A pipelined group is answered as one; the message is stored, and only then answered 250")
    func pipelining() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.beginData()
            try await client.send("Subject: x\r\n\r\nHello\r\n.\r\n")
            #expect(try await client.codes().isEmpty)
            client.store.answer()
            #expect(try await client.codesWhenStored() == ["250"])
            let message = try #require(client.store.stored.withLock { $0.first })
            #expect(message.sender == "alice@alpha.test")
            #expect(message.entries.map(\.domain) == ["bravo.test"])
        }
    }

    @Test("Byte by byte, a session comes to the same")
    func byteByByte() async throws {
        try await InboundClient.with { client in
            try await client.sendSlowly(
                "EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n")
            #expect(try await client.codes().suffix(3) == ["250", "250", "354"])
            try await client.sendSlowly("\r\nHello\r\n.\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            let message = try #require(client.store.stored.withLock { $0.first })
            #expect(message.entries.first?.recipients.map(\.address) == ["postmaster@bravo.test"])
        }
    }

    @Test("hostile-input 4: a command behind STARTTLS in the same segment is never run")
    func startTLSInjection() async throws {
        let leaf = try TestPKI().leaf("relay.test")
        let certificates = try ServedCertificates([try leaf.serverCertificate()])
        try await InboundClient.with(certificates: certificates) { client in
            try await client.hello()
            try await client.send("STARTTLS\r\nRSET\r\n")
            #expect(try await client.codes() == ["554"])
            #expect(!client.isOpen)
        }
    }

    @Test("A stranger may not relay; a client of a relay network may", arguments: [true, false])
    func relaying(isTrusted: Bool) async throws {
        let address = isTrusted ? IPAddress.v4(0x7F00_0001) : .v4(0xC000_0201)
        try await InboundClient.with(address: address) { client in
            try await client.hello()
            try await client.send("MAIL FROM:<a@alpha.test>\r\nRCPT TO:<x@elsewhere.test>\r\n")
            #expect(try await client.codes() == ["250", isTrusted ? "250" : "550"])
        }
    }

    @Test(
        "What cannot be stored is answered 4yz, and the session goes on",
        arguments: [(QueueStoreError.Code.database, "451"), (.ambiguous, "451"), (.overloaded, "452")])
    func storeFails(code: QueueStoreError.Code, reply: String) async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.beginData()
            try await client.send("x\r\n.\r\n")
            client.store.answer(QueueStoreError(code, "as the test wants it"))
            #expect(try await client.codesWhenStored() == [reply])
            try await client.send("NOOP\r\n")
            #expect(try await client.codes() == ["250"])
        }
    }

    @Test("A client that disconnects while its message is stored harms nothing")
    func disconnectedWhileStoring() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.beginData()
            try await client.send("x\r\n.\r\n")
            try await client.channel.close()
            client.store.answer()
        }
    }

    @Test("A client that disconnects within its message leaves nothing")
    func disconnectedWithinContent() async throws {
        try await InboundClient.with { client in
            try await client.beginData()
            try await client.send("x\r\n")
            try await client.channel.close()
            #expect(client.store.stored.withLock { $0.isEmpty })
        }
    }

    @Test(
        "What is owed goes out though the client has ended its side, of TCP or of TLS (field C14)",
        arguments: [HalfClose.socket, .closeNotify, .truncated])
    func halfClosed(_ end: HalfClose) async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.beginData()
            try await client.send("x\r\n.\r\nNOOP\r\nQUIT\r\n")
            try await client.endInput(end)
            #expect(client.isOpen)
            client.store.answer()
            #expect(try await client.codesWhenStored() == ["250", "250", "221"])
            #expect(!client.isOpen)
            #expect(client.store.stored.withLock { $0.count } == 1)
        }
    }

    @Test("A client that has ended its side and is owed nothing is let go (field C14)", arguments: ["", "NO", "x\r\n"])
    func halfClosedOwingNothing(_ unfinished: String) async throws {
        try await InboundClient.with { client in
            if unfinished == "x\r\n" { try await client.beginData() } else { try await client.hello() }
            if !unfinished.isEmpty { try await client.send(unfinished) }
            try await client.endInput(.socket)
            #expect(!client.isOpen)
            #expect(try await client.codes().isEmpty)
            #expect(client.store.stored.withLock { $0.isEmpty })
        }
    }

    @Test("A client that has ended its side is waited with for 10 minutes (field C14)")
    func halfClosedForLong() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.beginData()
            try await client.send("x\r\n.\r\n")
            try await client.endInput(.socket)
            await client.advance(599)
            #expect(client.isOpen)
            await client.advance(1)
            #expect(try await client.codes() == ["421"])
            #expect(!client.isOpen)
            client.store.answer()
        }
    }

    @Test("Of a client that has ended its side and does not read, no more is answered (field C14)")
    func halfClosedWithoutReading() async throws {
        try await InboundClient.with { client in
            try await client.beginData()
            try await client.send(".\r\n")
            _ = try await client.codesWhenStored()
            try await client.setWritable(false)
            try await client.send(
                "MAIL FROM:<a@alpha.test>\r\nRCPT TO:<b@bravo.test>\r\n"
                    + String(repeating: "BDAT 1\r\nx", count: 10_000))
            try await client.endInput(.socket)
            let unread = try await client.codes().count
            #expect(unread < 1000)
            #expect(client.isOpen)
            try await client.setWritable(true)
            #expect(try await client.codes().count == 10_002 - unread)
            #expect(!client.isOpen)
        }
    }

    // MARK: Reading

    @Test("Nothing is read while a message is being stored")
    func readsNothingWhileStoring() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.beginData()
            let before = client.readCount
            try await client.send("x\r\n.\r\n")
            #expect(client.readCount == before)
            client.store.answer()
            _ = try await client.codesWhenStored()
            #expect(client.readCount == before + 1)
        }
    }

    @Test("A client that does not take its replies is asked for no more commands")
    func backpressure() async throws {
        try await InboundClient.with { client in
            try await client.hello()
            try await client.setWritable(false)
            let before = client.readCount
            try await client.send("NOOP\r\n")
            #expect(client.readCount == before)
            try await client.setWritable(true)
            #expect(client.readCount == before + 1)
        }
    }

    // MARK: Deadlines

    @Test("hostile-input 15: one byte now and then does not move the deadline of a command")
    func slowCommand() async throws {
        try await InboundClient.with { client in
            try await client.hello()
            for _ in 0..<29 {
                try await client.send("N")
                await client.advance(10)
            }
            #expect(client.isOpen)
            await client.advance(11)
            #expect(try await client.codes() == ["421"])
            #expect(!client.isOpen)
        }
    }

    @Test("Each whole command moves the deadline")
    func steadyCommands() async throws {
        try await InboundClient.with { client in
            try await client.hello()
            for _ in 0..<3 {
                await client.advance(299)
                try await client.send("NOOP\r\n")
                #expect(try await client.codes() == ["250"])
            }
        }
    }

    @Test(
        "hostile-input 15: content under 500 bytes a second is answered 421, faster content is not",
        arguments: [400, 600])
    func slowContent(bytesPerSecond: Int) async throws {
        try await InboundClient.with { client in
            try await client.beginData()
            let line = String(repeating: "x", count: bytesPerSecond - 2) + "\r\n"
            // Under 64 KiB, above which content is staged.
            for _ in 0..<100 {
                try await client.send(line)
                await client.advance(1)
            }
            await client.advance(78)
            #expect(client.isOpen)
            await client.advance(3)
            #expect(try await client.codes() == ["421"])
            #expect(client.store.stored.withLock { $0.isEmpty })
        }
    }

    @Test("hostile-input 15: a handshake that stalls is closed after 10 s, though bytes trickle in")
    func slowHandshake() async throws {
        let leaf = try TestPKI().leaf("relay.test")
        let certificates = try ServedCertificates([try leaf.serverCertificate()])
        try await InboundClient.with(certificates: certificates) { client in
            try await client.hello()
            try await client.send("STARTTLS\r\n")
            #expect(try await client.codes() == ["220"])
            for byte: UInt8 in [0x16, 0x03, 0x01, 0x02, 0x00] {
                await client.advance(1)
                try await client.channel.writeInbound(ByteBuffer(bytes: [byte]))
            }
            await client.advance(4)
            #expect(client.isOpen)
            await client.advance(2)
            #expect(!client.isOpen)
        }
    }

    @Test("There is no deadline while the client waits for us")
    func noDeadlineWhileStoring() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.beginData()
            try await client.send("x\r\n.\r\n")
            await client.advance(3600)
            #expect(client.isOpen)
            client.store.answer()
            #expect(try await client.codesWhenStored() == ["250"])
        }
    }

    // MARK: What is offered

    /// EHLO's offers, and the code of STARTTLS where it is sent alone.
    private func offers(_ client: InboundClient) async throws -> (startTLS: Bool, auth: Bool) {
        (try await client.offers("STARTTLS"), try await client.offers("AUTH PLAIN LOGIN"))
    }

    @Test("STARTTLS and AUTH are offered by the state that is in force when EHLO comes, in a session under way, too")
    func offersFollowState() async throws {
        let leaf = try TestPKI().leaf("relay.test")
        var with = NodeState(
            InboundPolicy(domains: [:], relayNetworks: []),
            certificates: try ServedCertificates([try leaf.serverCertificate()]))
        with.users = UserCredentials([:])
        let without = NodeState(InboundPolicy(domains: [:], relayNetworks: []))
        for isSecured in [false, true] {
            let state = Replaceable(without)
            try await InboundClient.with(isSecured: isSecured, configure: { $0.state = state }) { client in
                for (next, isOffered) in [(without, false), (with, true), (without, false), (with, true)] {
                    state.replace(with: next)
                    let offers = try await self.offers(client)
                    // One before TLS, the other behind it.
                    #expect(offers == (isOffered && !isSecured, isOffered && isSecured))
                }
                state.replace(with: without)
                try await client.send(isSecured ? "AUTH PLAIN\r\n" : "STARTTLS\r\n")
                #expect(try await client.codes() == ["502"])
            }
        }
    }

    // MARK: Drain

    @Test("DESIGN §7.7: a drain tells an idle client 421, and closes")
    func drainIdle() async throws {
        try await InboundClient.with { client in
            try await client.hello()
            try await client.drain()
            #expect(try await client.codes() == ["421"])
            #expect(!client.isOpen)
        }
    }

    @Test("DESIGN §7.7: a drain lets DATA finish, stores and answers it, and then says 421")
    func drainInContent() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.beginData()
            try await client.drain()
            #expect(client.isOpen)
            try await client.send("x\r\n.\r\n")
            try await client.drain()
            client.store.answer()
            #expect(try await client.codesWhenStored() == ["250", "421"])
        }
    }
}
