import LabPeers
import MailModel
import Testing

@Suite(.timeLimit(.minutes(3)))
struct SMTPDialogTests {
    @Test("A message goes over STARTTLS with its dots intact")
    func submission() async throws {
        let peer = try await ScriptedPeer.start(certificates: PeerIdentity("mx.peer.test").store)
        let reply = try await SMTPDialog.with(port: peer.port) { smtp in
            try await smtp.hello()
            try await smtp.startTLS()
            return try await smtp.submit(from: "a@alpha.test", to: ["b@bravo.test"], "Subject: x\n\n.one\n..two\n")
        }
        #expect(reply.code == 250)
        let mail = try #require(peer.received.first)
        #expect(mail.tls != nil)
        #expect(mail.text.contains("\r\n.one\r\n..two\r\n"))
        await peer.stop()
    }

    @Test("The reply to the dot gives the id under which the message was queued")
    func messageID() async throws {
        let id = "01KATD4TW8Z7V2QJ5N3M9XY0AB"
        let peer = try await ScriptedPeer.start([.on(.endOfData, .reply("250-2.0.0 OK\n250 2.0.0 OK: queued as \(id)"))]
        )
        let reply = try await SMTPDialog.with(port: peer.port) { smtp in
            try await smtp.hello()
            return try await smtp.submit(from: "a@alpha.test", to: ["b@bravo.test"], "Subject: x\n\n")
        }
        #expect(reply.lines.count == 2)
        #expect(reply.messageID.map { "\($0)" } == id)
        await peer.stop()
    }

    @Test("A refusal is returned, and the conversation can go on")
    func refusal() async throws {
        let peer = try await ScriptedPeer.start([.on(.everyRecipient, .reply("550 5.1.1 nobody"))])
        let codes = try await SMTPDialog.with(port: peer.port) { smtp in
            try await smtp.hello()
            let reply = try await smtp.submit(from: "a@alpha.test", to: ["b@bravo.test"], "Subject: x\n\n")
            return [reply.code, try await smtp.say("RSET").code]
        }
        #expect(codes == [550, 250])
        await peer.stop()
    }

    @Test("A silent server is given up when the time is up")
    func silence() async throws {
        let peer = try await ScriptedPeer.start([.on(.greeting, .wait(.seconds(60)))])
        await #expect(throws: (any Error).self) {
            try await SMTPDialog.with(port: peer.port, within: .milliseconds(200)) { smtp in
                try await smtp.hello()
            }
        }
        await peer.stop()
    }
}
