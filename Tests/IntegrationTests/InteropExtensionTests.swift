import Foundation
import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

/// CHUNKING, PIPELINING, SMTPUTF8 and DSN between the relay and servers that have them, and where the next hop has not.
@Suite(
    "Extensions with Postfix and Exim", .interopWorld(.postfix, .exim), .timeLimit(.minutes(2)),
    .disabled(if: InteropWorld.Peer.postfix.unavailable != nil, "\(InteropWorld.Peer.postfix.unavailable ?? "")"),
    .disabled(if: InteropWorld.Peer.exim.unavailable != nil, "\(InteropWorld.Peer.exim.unavailable ?? "")"))
struct InteropExtensionTests {
    private static let peers: [InteropWorld.Peer] = [.postfix, .exim]

    /// A message with dots at line starts, of about so many bytes.
    private static func message(_ id: String, size: Int) -> [UInt8] {
        let start = InteropWorld.hardMessage(id)
        let line = Array((".a line" + String(repeating: "y", count: 68) + "\r\n").utf8)
        return start + Array(repeatElement(line, count: max(0, size - start.count) / line.count).joined())
    }

    /// Hands a message to the relay over STARTTLS.
    private func submit(
        from sender: String, to recipient: String, _ message: [UInt8], parameters: (mail: String, recipient: String)
    ) async throws -> MessageID {
        let reply = try await SMTPDialog.with(port: try InteropWorld.current.lab.smtpPort) { smtp in
            try await smtp.hello()
            try await smtp.startTLS()
            return try await smtp.submit(from: sender, to: [recipient], message, parameters: parameters)
        }
        return try #require(reply.messageID, "\(reply)")
    }

    // MARK: CHUNKING and PIPELINING

    @Test("The relay sends by BDAT, and the very bytes are stored", arguments: peers, [0, 3 << 20])
    func sendsChunks(peer: InteropWorld.Peer, size: Int) async throws {
        let world = try InteropWorld.current
        let id = InteropWorld.newID()
        let message = Self.message(id, size: size)
        let queued = try await self.submit(
            from: "alice@alpha.test", to: "chunks\(size)@\(peer.domain)", message, parameters: ("BODY=8BITMIME", ""))
        #expect(try await world.lab.firstOutcome(of: queued).kind == .send)
        let stored = try #require(await world.server(peer).storedMessage(containing: id))
        #expect(stored.suffix(message.count { $0 != 0x0D }).elementsEqual(message.filter { $0 != 0x0D }))
        let server = try world.server(peer)
        guard peer == .exim else {
            // Postfix counts the commands of a session at its end.
            #expect(await server.logLine(containing: " bdat=") != nil)
            return
        }
        // Exim's account of the session: L says PIPELINING ("L." that it could begin even earlier), K says CHUNKING.
        let taken = try #require(await server.logLine(containing: "for chunks\(size)@exim.test"))
        #expect(taken.contains("esmtps L") && taken.contains(" K "), "\(taken)")
    }

    @Test("Exim sends to us by BDAT and in a pipeline, and the next hop takes the very bytes", arguments: [0, 3 << 20])
    func takesChunks(size: Int) async throws {
        let world = try InteropWorld.current
        let id = InteropWorld.newID()
        let message = Self.message(id, size: size)
        let recipient = "by-bdat-\(size)@ours.test"
        try await world.server(.exim).submit(
            from: "alice@alpha.test", to: [recipient], message: message, parameters: ("BODY=8BITMIME", ""))
        let mail = try await world.arrived(id)
        #expect(mail.content.suffix(message.count).elementsEqual(message))
        #expect(mail.chunks.reduce(0, +) == mail.size)
        let sent = try #require(await world.server(.exim).logLine(containing: "=> \(recipient)"))
        #expect(sent.contains(" L ") && sent.contains(" K "), "\(sent)")
    }

    // MARK: SMTPUTF8

    @Test("International addresses go through, and the very bytes are stored", arguments: peers)
    func international(peer: InteropWorld.Peer) async throws {
        let world = try InteropWorld.current
        let id = InteropWorld.newID()
        let message = Array("Message-ID: <\(id)>\r\nSubject: Grüße\r\n\r\nGrüße\r\n".utf8)
        let queued = try await self.submit(
            from: "jürgen@alpha.test", to: "bjørn@\(peer.domain)", message, parameters: ("BODY=8BITMIME SMTPUTF8", ""))
        let event = try await world.lab.firstOutcome(of: queued)
        #expect(event.kind == .send, "\(event)")
        let stored = try #require(await world.server(peer).storedMessage(containing: id))
        let text = String(decoding: stored, as: UTF8.self)
        #expect(text.contains("jürgen@alpha.test") && text.contains("bjørn@\(peer.domain)"), "\(text)")
        #expect(text.contains("Subject: Grüße\n") && text.hasSuffix("\n\nGrüße\n"), "\(text)")
    }

    @Test("Postfix and Exim send international addresses to us, and the next hop hears of SMTPUTF8", arguments: peers)
    func takesInternational(peer: InteropWorld.Peer) async throws {
        let world = try InteropWorld.current
        let id = InteropWorld.newID()
        let message = Array("Message-ID: <\(id)>\r\nSubject: Grüße\r\n\r\nGrüße\r\n".utf8)
        try await world.server(peer).submit(
            from: "jürgen@alpha.test", to: ["bjørn@ours.test"], message: message,
            parameters: ("BODY=8BITMIME SMTPUTF8", ""))
        let mail = try await world.arrived(id)
        #expect(mail.reversePath == "jürgen@alpha.test" && mail.recipients == ["bjørn@ours.test"])
        #expect(mail.mailParameters.contains("SMTPUTF8"))
        #expect(mail.text.contains("with UTF8SMTPS") && mail.text.hasSuffix("\r\n\r\nGrüße\r\n"), "\(mail.text)")
    }

    @Test("A next hop without SMTPUTF8 is a failure 5.6.7, told in ASCII to a sender in ASCII")
    func internationalRefused() async throws {
        let lab = try InteropWorld.current.lab
        let id = InteropWorld.newID()
        let sender = "ascii@plain.test"
        let queued = try await self.submit(
            from: sender, to: "bjørn@plain.test", Array("Message-ID: <\(id)>\r\nSubject: Grüße\r\n\r\nx\r\n".utf8),
            parameters: ("BODY=8BITMIME SMTPUTF8 RET=HDRS", ""))
        #expect(try await lab.firstOutcome(of: queued).kind == .fail)
        let report = try await lab.deliveredReport(on: queued, to: sender, at: "plain.test")
        #expect(report.text.contains("Status: 5.6.7\r\n"), "\(report.text)")
        #expect(report.content.allSatisfy { $0 < 0x80 }, "\(report.text)")
    }

    // MARK: DSN

    @Test("A next hop with DSN is told of NOTIFY, ORCPT and ENVID, and its own report comes back", arguments: peers)
    func notificationByTheNextHop(peer: InteropWorld.Peer) async throws {
        try await InteropWorld.current.isTold(
            by: peer,
            [
                "reporting-mta: dns; \(peer.host)", "original-envelope-id: the-envelope",
                "original-recipient: rfc822;o@first.test",
            ])
    }

    @Test("Postfix and Exim ask us for reports, and the next hop is asked the same", arguments: peers)
    func takesNotificationRequest(peer: InteropWorld.Peer) async throws {
        try await InteropWorld.current.takesNotificationRequest(from: peer)
    }

    @Test("Where the next hop has no DSN, the relay itself tells that it relayed")
    func notificationByTheRelay() async throws {
        let lab = try InteropWorld.current.lab
        let sender = "told-by-relay@plain.test"
        let queued = try await self.submit(
            from: sender, to: "bob@plain.test", InteropWorld.hardMessage(InteropWorld.newID()),
            parameters: (
                "BODY=8BITMIME RET=HDRS ENVID=the-envelope", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@first.test"
            ))
        let text = try await lab.deliveredReport(on: queued, to: sender, at: "plain.test").text
        for field in [
            "Original-Envelope-Id: the-envelope", "Original-Recipient: rfc822; o@first.test", "Action: relayed",
        ] {
            #expect(text.contains("\(field)\r\n"), "\(text)")
        }
    }
}
