import MailModel
import SMTPProtocol

/// A client's bytes in each state of a server session.
enum ServerSessionCheck {
    /// A session that has come somewhere; playing goes on from a copy.
    private static let states: [ServerPlayer] = {
        let openings: [(greets: Bool, lines: [String])] = [
            (false, []), (true, []), (true, hello), (true, hello + tls), (true, hello + tls + mail),
            (true, hello + tls + mail + recipient), (true, hello + tls + mail + recipient + ["DATA"]),
            (true, hello + tls + ["AUTH PLAIN"]), (true, hello + tls + ["AUTH LOGIN", "dXNlcg=="]),
            (true, hello + mail + recipient),
        ]
        return openings.compactMap { Self.player(greets: $0.greets, after: $0.lines) }
    }()

    private static let hello = ["EHLO client.test"]
    private static let tls = ["STARTTLS", "EHLO client.test"]
    private static let mail = ["MAIL FROM:<a@client.test> BODY=8BITMIME"]
    private static let recipient = ["RCPT TO:<b@relay.test>", "RCPT TO:<c@relay.test>", "RCPT TO:<d@relay.test>"]

    /// Plays in two states that the input itself chooses; `everywhere` plays in all of them.
    static func check(_ input: [UInt8], everywhere: Bool = false) throws(Violation) {
        let count = self.states.count
        let first = Int(input.checksum % UInt64(count))
        for index in everywhere ? Array(0..<count) : [first, (first + 3) % count] {
            var player = self.states[index]
            try player.play(input, .bytes)
            try player.checkShutDown()
            // The other cuts cost as much again, so that each input tries them in one state only.
            if everywhere || index == first { try self.compare(player, self.states[index], input) }
        }
    }

    /// Compares what came of single bytes with what comes of other pieces.
    private static func compare(_ bytes: ServerPlayer, _ state: ServerPlayer, _ input: [UInt8]) throws(Violation) {
        for pieces in input.checksum & 64 == 0 ? [Pieces.whole] : [.random] {
            var player = state
            try player.play(input, pieces)
            guard player.events != bytes.events else { continue }
            // Talking out of turn is only seen where more has come: up to there all must be the same.
            let agree = self.agree(player.events, bytes.events) || self.agree(bytes.events, player.events)
            try promise(agree, "a session depends on its pieces: \(bytes.events), \(player.events)")
        }
    }

    /// Whether one session ended out of turn, and the other one did the same up to there.
    private static func agree(_ ended: [ServerEvent], _ other: [ServerEvent]) -> Bool {
        guard let last = ended.dropLast().last, self.isOutOfTurn(last) else { return false }
        // Its end drops what there was of a message, which the other one may have lost in another way.
        var before = ended.dropLast(2)
        if before.last == .dropped { before.removeLast() }
        return other.starts(with: before)
    }

    private static func isOutOfTurn(_ event: ServerEvent) -> Bool {
        guard case .reply(let reply) = event else { return false }
        return reply.code == 554 && reply.lines.contains { $0.contains("out of turn") }
    }

    static let configuration: SMTPServerSession.Configuration? = DomainName("mx.relay.test").map { name in
        var limits = SMTPServerLimits()
        // Small, so that inputs of a few hundred bytes reach them.
        limits.commandLineBytes = 256
        limits.discardedLineBytes = 256
        limits.authenticationLineBytes = 300
        limits.recipients = 4
        limits.errors = 8
        limits.idleCommands = 12
        limits.messageBytes = 160
        limits.textLineBytes = 60
        limits.discardedMessageBytes = 60
        var configuration = SMTPServerSession.Configuration(hostName: name, offersSTARTTLS: true, limits: limits)
        configuration.offersAuthentication = true
        return configuration
    }

    /// A session after these lines of its client; `nil` where one of them was not taken, which the tests would notice.
    static func player(greets: Bool = true, after lines: [String]) -> ServerPlayer? {
        guard let configuration else { return nil }
        var player = ServerPlayer(configuration, greets: greets)
        for line in lines {
            guard (try? player.play(Array("\(line)\r\n".utf8), .whole)) != nil, !player.isClosed else { return nil }
        }
        return player
    }

    /// How many states there are to play in.
    static var stateCount: Int { self.states.count }
}
