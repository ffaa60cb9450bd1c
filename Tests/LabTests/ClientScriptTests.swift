import NIOCore
import Testing

@testable import LabPeers

@Suite("Scripts of a client", .timeLimit(.minutes(3)))
struct ClientScriptTests {
    /// Runs `body` with a peer that follows these rules.
    private func with(
        _ rules: [ScriptedRule] = [], hasTLS: Bool = false, _ body: (ScriptedPeer) async throws -> Void
    ) async throws {
        let peer = try await ScriptedPeer.start(rules, certificates: hasTLS ? PeerIdentity("mx.peer.test").store : nil)
        do { try await body(peer) } catch {
            await peer.stop()
            throw error
        }
        await peer.stop()
    }

    /// How playing fails.
    private func failure(
        of script: ClientScript, on peer: ScriptedPeer, within limit: Duration = .seconds(30)
    ) async -> String {
        do {
            try await script.play(port: peer.port, within: limit)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test("A message goes over TLS, one step after the other, and every reply is given back")
    func message() async throws {
        try await self.with(hasTLS: true) { peer in
            let replies = try await ClientScript(
                .secureHello, .send("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "DATA"), .expect(250, 250, 354),
                .bytes("Subject: x\r\n\r\nx"), .afterDot(.expect("250 2.")), .send("QUIT"), .expect(221), .closed
            ).play(port: peer.port)
            #expect(replies.map(\.code) == [220, 250, 250, 250, 250, 354, 250, 221])
            let mail = try #require(peer.received.first)
            #expect(mail.tls != nil && mail.text.hasSuffix("\r\nx\r\n"))
        }
    }

    @Test("A failure names the step, within a group too, and tells what was heard")
    func failingStep() async throws {
        try await self.with([.on(.everyRecipient, .reply("550-5.1.1 no\n550 5.1.1 nobody"))]) { peer in
            let failure = await self.failure(of: [.hello, .envelope(to: "b@b.test"), .send("DATA")], on: peer)
            let lines = failure.split(separator: "\n")
            #expect(lines.first == "step 2, .expect(250): expected 250, the server said 550-5.1.1 no")
            #expect(lines.last == "550 5.1.1 nobody" && failure.contains("heard: 220 "), "\(failure)")
        }
    }

    @Test("The end of the connection is told apart from a reply, a lost connection and a server that goes on waiting")
    func closed() async throws {
        try await self.with([.on(.data, .close), .on(.reset, .reply("250 x"), .reply("421 y"), .close)]) { peer in
            try await ClientScript(.hello, .envelope(to: "b@b.test"), .send("DATA"), .closed).play(port: peer.port)
            let more = await self.failure(of: [.hello, .send("RSET"), .expect(250), .closed], on: peer)
            #expect(more.hasPrefix("step 4, .closed: expected the end of the connection, the server said 421 y"))
            let early = await self.failure(
                of: [.hello, .envelope(to: "b@b.test"), .send("DATA"), .expect(354)], on: peer)
            #expect(early.hasPrefix("step 4, .expect(354): the server closed the connection"))
            let open = await self.failure(of: [.hello, .closed], on: peer, within: .seconds(5))
            #expect(open.hasPrefix("step 2, .closed: the server took too long"), "\(open)")
        }
    }

    @Test("Who hangs up behind the dot hears nothing, and nothing is played after it")
    func hangUp() async throws {
        try await self.with([.on(.endOfData, .wait(.seconds(1)), .proceed)]) { peer in
            let replies = try await ClientScript(
                .hello, .envelope(to: "b@b.test"), .content("x"), .afterDot(.hangUp), .expect(999)
            ).play(port: peer.port)
            #expect(replies.last?.code == 354)
        }
    }

    @Test("Text comes again and again until the server has had enough, and a client can stall")
    func pauses() async throws {
        try await self.with { peer in
            let start = ContinuousClock.now
            // The first makes no line of a single dot, the second does.
            try await ClientScript(
                .hello, .stall(.milliseconds(40)), .envelope(to: "b@b.test"), .content("x"),
                .drip("\r\n.", every: .milliseconds(20), until: 250)
            ).play(port: peer.port)
            #expect(ContinuousClock.now - start >= .milliseconds(60))
            #expect(peer.received.count == 1)
            let failure = await self.failure(
                of: [.hello, .drip("NOOP\r\n", every: .milliseconds(20), until: 421)], on: peer)
            #expect(failure.contains("expected 421, the server said 250"), "\(failure)")
        }
    }

    @Test("A script is printed as it is written, long texts cut short")
    func printed() {
        let long = String(repeating: "z", count: 61)
        let script: ClientScript = [
            .hello, .send("DATA", "x"), .expect(250, 354), .bytes("a\r\n"), .drip("x", every: .seconds(1), until: 421),
            .bytes(long, times: 3), .content("é"), .afterDot(.hangUp), .startTLS, .stall(.seconds(2)), .closed,
        ]
        #expect(
            "\(script)" == """
                [.hello, .send("DATA", "x"), .expect(250, 354), .bytes("a\\r\\n"), .drip("x", every: 1.0 seconds, until: 421), \
                .bytes("\(long.dropLast())"…, times: 3), .content("é"), .afterDot(.hangUp), .startTLS, \
                .stall(2.0 seconds), .closed]
                """)
    }

    // MARK: Replies

    @Test("Replies are the same byte by byte and in one piece, with CRLF or LF")
    func replies() throws {
        let text = "220 hi\r\n250-a\r\n250-b\n250 c\n2\r\n"
        var whole = ReplyReader()
        whole.append(ByteBuffer(string: text))
        var fromWhole: [[String]] = []
        while let reply = try whole.next() { fromWhole.append(reply.lines) }
        var slow = ReplyReader()
        var fromBytes: [[String]] = []
        for byte in text.utf8 {
            slow.append(ByteBuffer(bytes: [byte]))
            while let reply = try slow.next() { fromBytes.append(reply.lines) }
        }
        #expect(fromWhole == [["220 hi"], ["250-a", "250-b", "250 c"], ["2"]])
        #expect(fromBytes == fromWhole)
        #expect(whole.isEmpty && slow.isEmpty)
    }

    @Test("A line without end is an error, and not kept")
    func endless() throws {
        var reader = ReplyReader()
        reader.append(ByteBuffer(repeating: 0x32, count: 5000))
        #expect(throws: ReplyReader.EndlessLine.self) { try reader.next() }
    }
}
