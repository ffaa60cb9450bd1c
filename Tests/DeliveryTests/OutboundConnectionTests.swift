import LabPeers
import MailModel
import NIOCore
import NIOEmbedded
import NIOPosix
import SMTPProtocol
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

@testable import Delivery

/// The handler between the socket and the client session: every operation is answered once, whatever the server does.
@Suite("Outbound connection", .timeLimit(.minutes(3)))
struct OutboundConnectionTests {
    @Test("A message goes over, and the connection is ready for the next")
    func delivered() throws {
        let server = try ScriptedServer.transferring()
        _ = server.connection.write(Array("Hello\r\n".utf8), on: server.channel.eventLoop)
        server.finish()
        #expect(try server.heard() == ["Hello", "."])
        try server.say("250 OK")
        #expect(server.outcomes?.count == 1)
        #expect(server.connection.isReady)
    }

    // MARK: Opening

    @Test(
        "hostile-input 18: a bad greeting is a failure of this host, and never of the message",
        arguments: [
            ("bogus", FailureReason.protocolViolation, "4.5.0"), ("2200 x", .protocolViolation, "4.5.0"),
            ("521 no", .remoteReply, "5.0.0"), ("421 later", .remoteReply, "4.0.0"),
            ("554 5.7.1 no", .remoteReply, "4.7.1"),
        ])
    func greeting(line: String, failure: FailureReason, status: String) throws {
        let server = try ScriptedServer()
        try server.say(line)
        #expect(server.openingFailure?.failure == failure)
        // Only 521 says that the host takes no mail ever.
        #expect(server.openingFailure?.told.isPermanent == line.hasPrefix("521"))
        #expect(server.openingFailure.map { "\($0.told.status)" } == status)
        #expect(!server.channel.isActive)
    }

    @Test("Rule 25: where TLS is owed, a host without STARTTLS is a failure", arguments: ["none", "454 no", "502 no"])
    func noSTARTTLS(answer: String) throws {
        let server = try ScriptedServer(.mustEncrypt)
        try server.say("220 mx")
        if answer == "none" {
            try server.say("250 mx")
        } else {
            try server.say("250-mx", "250 STARTTLS")
            try server.say(answer)
        }
        #expect(server.openingFailure?.failure == .startTLSNotSupported)
        #expect(!server.isReady)
    }

    // MARK: The connection ends

    @Test("hostile-input 18: a server that hangs up before it greets is a lost connection")
    func hangsUpAtGreeting() throws {
        let server = try ScriptedServer()
        server.hangUp()
        #expect(server.openingFailure?.failure == .connectionLost)
    }

    @Test("A connection that is closed in the turn in which it is made, as by a node that stops, is a lost one")
    func closedAsSoonAsMade() async throws {
        try await ScriptedPeer.with([.on(.greeting, .wait(.seconds(3600)))]) { peer in
            let context = try TLSClientContext()
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let opened = eventLoop.makePromise(of: OutboundConnection.Opened.self)
            let address = try SocketAddress(ipAddress: peer.address, port: Int(peer.port))
            // As the dialler does, on the event loop.
            let channel = try await eventLoop.flatSubmit {
                ClientBootstrap(group: eventLoop)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(
                                OutboundConnection(
                                    requirement: AttemptRequirement(tls: .opportunistic, serverName: "mx.bravo.test"),
                                    tls: context, offer: .full, helloName: "relay.test",
                                    usesChunking: true, timeouts: SMTPTimeouts(), opened: opened))
                        }
                    }
                    .connect(to: address)
                    .map { channel in
                        channel.close(promise: nil)
                        return channel
                    }
            }.get()
            try await channel.closeFuture.get()
            // Without effect where the connection has answered.
            opened.fail(ChannelError.alreadyClosed)
            guard case .failed(let failure) = try await opened.futureResult.get() else {
                Issue.record("it was opened")
                return
            }
            #expect(failure.failure == .connectionLost)
        }
    }

    @Test(
        "hostile-input 21: the connection's end before the dot is certain, after it ambiguous",
        arguments: [false, true])
    func hangsUp(afterDot: Bool) throws {
        let server = try ScriptedServer.transferring()
        if afterDot {
            server.finish()
            server.hangUp()
        } else {
            server.hangUp()
            server.finish()
        }
        #expect(server.finishingFailure?.failure == .connectionLost)
        #expect(server.finishingFailure?.isAmbiguous == afterDot)
    }

    @Test(
        "hostile-input 22: TLS that is cut off is a lost connection, certain before the dot, ambiguous after it",
        arguments: [false, true])
    func truncation(afterDot: Bool) throws {
        let server = try ScriptedServer.transferring()
        if afterDot { server.finish() }
        // What has come of a reply may be all of it, or what somebody left of it.
        try server.channel.writeInbound(ByteBuffer(string: "250 OK, qu"))
        let cutOff = TLSFailure(.truncated, "no close_notify")
        server.channel.pipeline.fireUserInboundEventTriggered(TLSEvent.truncated(cutOff))
        #expect(!server.channel.isActive)
        if !afterDot { server.finish() }
        #expect(server.finishingFailure?.failure == .connectionLost)
        #expect(server.finishingFailure?.isAmbiguous == afterDot)
        #expect(server.finishingFailure?.told.isPermanent == false)
    }

    @Test("A reply to the dot that makes no sense is ambiguous", arguments: ["354 what", "xyz"])
    func nonsenseAfterDot(line: String) throws {
        let server = try ScriptedServer.transferring()
        server.finish()
        try server.say(line)
        #expect(server.finishingFailure?.isAmbiguous == true)
    }

    @Test("hostile-input 20: 250 before the final dot is a protocol error, and delivers nothing")
    func earlyAcceptance() throws {
        let server = try ScriptedServer.transferring()
        try server.say("250 OK")
        server.finish()
        #expect(server.finishingFailure?.failure == .protocolViolation)
        #expect(server.finishingFailure?.isAmbiguous == false)
    }

    @Test("421 in the envelope ends the message; what was refused before stands")
    func closingInEnvelope() throws {
        let server = try ScriptedServer.ready()
        server.begin("bob@bravo.test", "eve@bravo.test")
        try server.say("250 OK", "550 no", "421 bye")
        #expect(server.beginningFailure?.failure == .remoteReply)
        guard case .ended(let ended) = server.begun else { return }
        #expect(ended.outcomes.map { $0 != nil } == [true, false])
    }

    @Test("hostile-input 20: 421 behind the 250 harms nothing, and the connection is not used again")
    func closingAfterAcceptance() throws {
        let server = try ScriptedServer.transferring()
        server.finish()
        try server.say("250 OK", "421 bye")
        #expect(server.outcomes?.count == 1)
        #expect(!server.connection.isReady)
        server.begin("bob@bravo.test")
        #expect(server.beginningFailure != nil)
    }

    // MARK: Chunks

    /// Writes a piece; what the server hears of it.
    private func write(_ piece: String, to server: ScriptedServer) throws -> [String] {
        _ = server.connection.write(Array(piece.utf8), on: server.channel.eventLoop)
        return try server.heard()
    }

    @Test("The last CRLF of the last chunk is the final dot of BDAT: without permission it is not written")
    func lastChunkIsGated() throws {
        for isPermitted in [true, false] {
            let server = try ScriptedServer.chunking(size: 14)
            #expect(try self.write("12345\r\n", to: server) == ["BDAT 7", "12345"])
            #expect(try self.write("67890\r\n", to: server) == ["BDAT 7 LAST", "67890"])
            server.finish(isPermitted: isPermitted)
            #expect(
                try server.channel.readOutbound(as: ByteBuffer.self) == (isPermitted ? ByteBuffer(string: "\r\n") : nil)
            )
            #expect(server.channel.isActive == isPermitted)
            guard isPermitted else { continue }
            try server.say("250 OK", "250 Stored")
            #expect(server.outcomes == [.accepted(RemoteReply(250, nil, "Stored"))])
            #expect(server.connection.isReady)
        }
    }

    @Test("A chunk refused while content is written: no more is, the refusal is told, and needs no permission")
    func refusedChunk() throws {
        let server = try ScriptedServer.chunking(size: 1000)
        _ = try self.write("12345\r\n", to: server)
        try server.say("552 5.3.4 no")
        #expect(!server.connection.takesContent)
        #expect(try self.write("67890\r\n", to: server).isEmpty)
        server.finish(isPermitted: false)
        #expect(server.outcomes == [.refused(RemoteReply(552, EnhancedStatusCode(.permanentFailure, 3, 4), "no"))])
        #expect(server.connection.isReady)
    }

    @Test("A refusal stands, even if the server hangs up before it is asked for")
    func refusedChunkThenHangsUp() throws {
        let server = try ScriptedServer.chunking(size: 1000)
        _ = try self.write("12345\r\n", to: server)
        try server.say("552 5.3.4 no")
        server.hangUp()
        server.finish()
        #expect(server.outcomes == [.refused(RemoteReply(552, EnhancedStatusCode(.permanentFailure, 3, 4), "no"))])
        #expect(!server.connection.isReady)
    }

    @Test("The other replies are waited for after a refusal, and no longer than for content", arguments: [true, false])
    func repliesAfterRefusal(_ doCome: Bool) throws {
        let server = try ScriptedServer.chunking(size: 1000)
        for piece in ["12345\r\n", "67890\r\n"] { _ = try self.write(piece, to: server) }
        try server.say("552 5.3.4 no")
        server.finish()
        #expect(server.finished == nil)
        if doCome { try server.say("503 what?") } else { server.wait(181) }
        #expect((server.outcomes != nil) == doCome)
        guard let ended = server.finished, let failure = ended.failure else { return }
        #expect(!failure.isAmbiguous && ended.outcomes.count == 1 && !ended.outcomes.contains(nil))
    }

    @Test(
        "hostile-input 20: a server that refuses a chunk, and takes nothing of what is on its way, holds nobody up",
        arguments: [(7, true), (1000, false)])
    func refusedAndClosedWindow(size: Int, isLastChunk: Bool) throws {
        let server = try ScriptedServer.chunking(size: size)
        try server.stopReading()
        let written = server.connection.write(Array("12345\r\n".utf8), on: server.channel.eventLoop)
        var isOver = false
        written.assumeIsolated().whenComplete { _ in isOver = true }
        try server.say("552 5.3.4 no")
        // Behind a chunk that is owed nothing can follow; else the time for content counts on.
        #expect(isOver == isLastChunk && server.channel.isActive != isLastChunk)
        if !isLastChunk { server.wait(181) }
        #expect(isOver && !server.channel.isActive && !server.connection.takesContent)
        server.finish()
        #expect(server.outcomes == [.refused(RemoteReply(552, EnhancedStatusCode(.permanentFailure, 3, 4), "no"))])
    }

    @Test(
        "hostile-input 20: a refusal in the midst of the content stands, with the server's words, and ends the connection"
    )
    func refusedContent() throws {
        let server = try ScriptedServer.transferring()
        _ = try self.write("Hello\r\n", to: server)
        try server.say("552 5.3.4 too big")
        #expect(!server.connection.takesContent && !server.channel.isActive)
        server.finish()
        #expect(server.outcomes == [.refused(RemoteReply(552, EnhancedStatusCode(.permanentFailure, 3, 4), "too big"))])
    }

    @Test("Content that is shorter than the queue says is not ended, and the peer is not to blame")
    func shortContent() throws {
        let server = try ScriptedServer.chunking(size: 1000)
        _ = try self.write("12345\r\n", to: server)
        server.finish()
        #expect(server.finishingFailure?.detail.contains("not as long") == true)
        #expect(!server.channel.isActive)
    }

    @Test(
        "hostile-input 21: the connection's end before the last CRLF is certain, after it ambiguous",
        arguments: [false, true])
    func hangsUpInChunks(afterEnd: Bool) throws {
        let server = try ScriptedServer.chunking(size: 7)
        _ = try self.write("12345\r\n", to: server)
        if afterEnd { server.finish() }
        server.hangUp()
        if !afterEnd { server.finish() }
        #expect(server.finishingFailure?.failure == .connectionLost)
        #expect(server.finishingFailure?.isAmbiguous == afterEnd)
    }

    // MARK: Silence

    @Test("hostile-input 22: a server that greets byte by byte is given up at the deadline")
    func slowGreeting() throws {
        let server = try ScriptedServer()
        for _ in 0..<5 {
            server.wait(59)
            try server.channel.writeInbound(ByteBuffer(string: "2"))
        }
        #expect(server.opened == nil)
        server.wait(6)
        #expect(server.openingFailure?.failure == .connectionTimeout)
    }

    @Test("Each reply to RCPT moves the deadline")
    func steadyReplies() throws {
        let server = try ScriptedServer.ready()
        server.begin("bob@bravo.test", "eve@bravo.test")
        for line in ["250 OK", "250 OK", "250 OK", "354 Go"] {
            server.wait(119)
            try server.say(line)
        }
        #expect(server.waitsForContent)
    }

    @Test("Silence in the envelope is a lost connection; after the dot it is ambiguous", arguments: [false, true])
    func silence(afterDot: Bool) throws {
        if afterDot {
            let server = try ScriptedServer.transferring()
            server.finish()
            server.wait(599)
            #expect(server.finished == nil)
            server.wait(2)
            #expect(server.finishingFailure?.isAmbiguous == true)
        } else {
            let server = try ScriptedServer.ready()
            server.begin("bob@bravo.test")
            server.wait(301)
            #expect(server.beginningFailure?.failure == .connectionLost)
            #expect(server.beginningFailure?.isAmbiguous == false)
        }
    }

    @Test("hostile-input 22: a server that answers each RCPT at the last moment is given up with the transaction")
    func steadyForTooLong() throws {
        let server = try ScriptedServer.ready()
        server.begin(try (0..<100).map { try #require(Mailbox("u\($0)@bravo.test")) })
        var waited = 0
        while server.begun == nil, waited < 10_000 {
            server.wait(299)
            waited += 299
            if server.channel.isActive { try server.say("250 OK") }
        }
        #expect((7200..<7500).contains(waited))
        #expect(server.beginningFailure?.failure == .connectionLost)
        #expect(server.beginningFailure?.detail.contains("took too long") == true)
        guard case .ended(let ended)? = server.begun else { return }
        #expect(ended.outcomes.count == 100)
    }

    @Test("hostile-input 22: a server that reads content bit by bit is given up with the transaction, certainly")
    func readsForTooLong() throws {
        let server = try ScriptedServer.chunking(size: 1000)
        for _ in 0..<41 {
            #expect(server.connection.takesContent)
            _ = try self.write("12345\r\n", to: server)
            server.wait(179)
        }
        #expect(!server.connection.takesContent && !server.channel.isActive)
        server.finish()
        #expect(server.finishingFailure?.failure == .connectionLost)
        #expect(server.finishingFailure?.isAmbiguous == false)
    }

    @Test("Each transaction of a connection has its own time, and so has the reply to its final dot")
    func nextTransaction() throws {
        let server = try ScriptedServer.transferring()
        for _ in 0..<3 {
            for _ in 0..<30 {
                _ = server.connection.write(Array("Hello\r\n".utf8), on: server.channel.eventLoop)
                server.wait(179)
            }
            server.finish()
            // Far beyond two hours from MAIL, where the last of it was the wait for this reply.
            server.wait(599)
            try server.say("250 OK")
            #expect(server.connection.isReady)
            server.begin("bob@bravo.test")
            try server.say("250 OK", "250 OK", "354 Go")
        }
        #expect(server.waitsForContent)
    }

    @Test("hostile-input 22: replies to earlier chunks do not put off the deadline of the last one")
    func repliesBehindTheDot() throws {
        let server = try ScriptedServer.chunking(size: 14)
        for piece in ["12345\r\n", "67890\r\n"] { _ = try self.write(piece, to: server) }
        server.finish()
        server.wait(599)
        try server.say("250 OK")
        #expect(server.finished == nil)
        server.wait(2)
        #expect(server.finishingFailure?.isAmbiguous == true)
    }

    @Test("Nobody waits long for the reply to QUIT")
    func silenceAfterQuit() throws {
        let server = try ScriptedServer.ready()
        server.connection.quit()
        #expect(try server.heard() == ["QUIT"])
        server.wait(3)
        #expect(!server.channel.isActive)
    }

    // MARK: The gate

    @Test("Without permission the dot is not written, and the connection is closed")
    func dotIsRefused() throws {
        let server = try ScriptedServer.transferring()
        server.finish(isPermitted: false)
        #expect(try server.heard().isEmpty)
        #expect(!server.channel.isActive)
        #expect(server.finishingFailure?.isAmbiguous == false)
        #expect(server.finishingFailure?.detail.contains("the lease is too short") == true)
    }
}
