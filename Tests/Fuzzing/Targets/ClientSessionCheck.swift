import MailModel
import SMTPProtocol

/// A server's bytes in each stage of a client session.
enum ClientSessionCheck {
    /// A session that has come somewhere; playing goes on from a copy.
    private static let stages: [ClientPlayer] = {
        let greeting = ["220 mx.test\r\n"]
        let plain = greeting + ["250-mx.test\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"]
        let rich = "250-mx.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 CHUNKING\r\n"
        let tls = greeting + ["250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"]
        let ok = "250 2.1.0 ok\r\n"
        let openings: [(ClientPlayer.TLS, [String])] = [
            (.none, []), (.none, greeting), (.none, plain), (.none, plain + [ok]), (.none, plain + [ok, ok]),
            (.none, plain + [ok, ok, ok]), (.none, plain + [ok, ok, ok, "354 go\r\n"]),
            (.none, greeting + [rich]), (.none, greeting + [rich, ok, ok, ok]),
            (.opportunistic, tls), (.required, greeting), (.required, tls), (.required, tls + ["220 go\r\n"]),
            (.required, tls + ["220 go\r\n", rich, ok, ok]),
        ]
        return openings.compactMap { Self.player($0.0, after: $0.1) }
    }()

    /// Plays in two stages that the input itself chooses; `everywhere` plays in all of them.
    static func check(_ input: [UInt8], everywhere: Bool = false) throws(Violation) {
        let count = self.stages.count
        let first = Int(input.checksum % UInt64(count))
        for index in everywhere ? Array(0..<count) : [first, (first + 3) % count] {
            var player = self.stages[index]
            try player.play(input, .bytes)
            try player.checkLoss()
            // The other cuts cost as much again, so that each input tries them in one stage only.
            if everywhere || index == first { try self.compare(player, self.stages[index], input) }
        }
    }

    /// Compares what came of single bytes with what comes of other pieces.
    private static func compare(_ bytes: ClientPlayer, _ stage: ClientPlayer, _ input: [UInt8]) throws(Violation) {
        for pieces in input.checksum & 64 == 0 ? [Pieces.whole] : [.random] {
            var player = stage
            try player.play(input, pieces)
            guard player.events != bytes.events else { continue }
            // Bytes that nobody asked for are only seen where they have come: up to there all must be the same.
            let agree = self.agree(player.events, bytes.events) || self.agree(bytes.events, player.events)
            try promise(agree, "a session depends on its pieces: \(bytes.events), \(player.events)")
        }
    }

    /// Whether one session ended with bytes that nobody asked for, and the other one did the same up to there.
    private static func agree(_ ended: [ClientEvent], _ other: [ClientEvent]) -> Bool {
        guard let last = ended.last, self.isUnasked(last) else { return false }
        return other.starts(with: ended.dropLast())
    }

    private static func isUnasked(_ event: ClientEvent) -> Bool {
        event == .failed(.bytesBehindSTARTTLS) || event == .failed(.protocolError(.greeting))
    }

    /// A session after these replies; `nil` where it ended on the way, which the tests would notice.
    private static func player(_ tls: ClientPlayer.TLS, after replies: [String]) -> ClientPlayer? {
        guard let name = DomainName("relay.test") else { return nil }
        var limits = SMTPReplyDecoder.Limits()
        limits.lineBytes = 100
        limits.lines = 8
        let session = SMTPClientSession(helloName: name, asksForTLS: tls != .none, replyLimits: limits)
        var player = ClientPlayer(session, tls, Self.messages)
        for reply in replies {
            guard (try? player.play(Array(reply.utf8), .whole)) != nil, !player.isOver else { return nil }
        }
        return player
    }

    private static let messages: [SMTPClientMessage] = {
        var international = Self.message(from: "<s@relay.test>", to: ["<ä@mx.test>", "<b@mx.test>"], .eightBitMIME)
        international?.envelopeID = "id+1"
        international?.returnContent = .headers
        return [
            Self.message(from: "<s@relay.test>", to: ["<a@mx.test>", "<b@mx.test>"], .sevenBit), international,
            Self.message(from: "<>", to: ["<\"c d\"@mx.test>"], .eightBitMIME),
        ].compactMap { $0 }
    }()

    private static func message(
        from sender: String, to paths: [String], _ body: Envelope.BodyType
    ) -> SMTPClientMessage? {
        guard let sender = ReversePath(sender) else { return nil }
        let recipients = paths.compactMap { ForwardPath($0) }.map {
            EnvelopeRecipient(
                $0, notify: [.success, .failure], originalRecipient: OriginalRecipient("rfc822;x@y.test"))
        }
        return SMTPClientMessage(
            reversePath: sender, recipients: recipients, body: body, size: ClientPlayer.contentSize)
    }

    /// How many stages there are to play in.
    static var stageCount: Int { self.stages.count }
}
