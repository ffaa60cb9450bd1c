import Foundation
import LabPeers
import LabRelay
import MailModel
import QueueStore
import Testing

/// What holds between the relay and any mail server; the suites of `Interop…Tests` say for which.
extension InteropWorld {
    /// A message with all that is hard: dots at line starts, the longest line, and Latin-1. Its eight bits mean nothing
    /// to any host on the path. It has all the fields that a header needs, so that no server adds one between these
    /// lines.
    static func hardMessage(_ id: String) -> [UInt8] {
        let header = [
            "Message-ID: <\(id)>", "From: <alice@alpha.test>", "To: <bob@ours.test>",
            "Date: Mon, 23 Nov 2026 20:00:00 +0000", "Subject: bytes", "",
        ]
        let lines =
            (header + [".", "..two", ".one", String(repeating: "x", count: 998)]).map { Array($0.utf8) }
            + [[0x47, 0x72, 0xFC, 0xDF, 0x65], [], [0x20], [0x65, 0x6E, 0x64]]
        return lines.flatMap { $0 + [0x0D, 0x0A] }
    }

    /// A name that no other test uses.
    static func newID() -> String { "\(UUID().uuidString.lowercased())@client.test" }

    /// Relay → peer: by DANE, and the very bytes. Gives what the peer stored.
    func delivers(to peer: Peer, sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
        let server = try self.server(peer)
        let id = Self.newID()
        let message = Self.hardMessage(id)
        let reply = try await SMTPDialog.with(port: self.lab.smtpPort) { smtp in
            try await smtp.hello()
            try await smtp.startTLS()
            return try await smtp.submit(
                from: "alice@alpha.test", to: ["bob@\(peer.domain)"], message, parameters: ("BODY=8BITMIME", ""))
        }
        let event = try await self.lab.firstOutcome(of: try #require(reply.messageID, "\(reply)"))
        #expect(event.kind == .send, "\(event)", sourceLocation: sourceLocation)
        #expect(event.authentication == .dane, "\(event)", sourceLocation: sourceLocation)
        #expect(event.tlsMatch?.hasPrefix("3 1 1 ") == true, sourceLocation: sourceLocation)
        #expect(event.tlsVersion == "TLSv1.3", sourceLocation: sourceLocation)
        try await self.lab.expectLogged(event, sourceLocation: sourceLocation)
        let stored = try #require(await server.storedMessage(containing: id), sourceLocation: sourceLocation)
        let expected = message.filter { $0 != 0x0D }
        let text = String(decoding: stored, as: UTF8.self)
        #expect(stored.suffix(expected.count).elementsEqual(expected), "\(text)", sourceLocation: sourceLocation)
        return text
    }

    /// Peer → relay → next hop, which takes the very bytes. Gives the relay's reply as the peer logged it.
    func takes(
        from peer: Peer, to recipient: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> ScriptedMail {
        let server = try self.server(peer)
        let id = Self.newID()
        let message = Self.hardMessage(id)
        try await server.submit(
            from: "alice@alpha.test", to: [recipient], message: message, parameters: ("BODY=8BITMIME", ""))
        let mail = try await self.arrived(id, sourceLocation: sourceLocation)
        #expect(mail.recipients == [recipient], sourceLocation: sourceLocation)
        #expect(
            mail.content.suffix(message.count).elementsEqual(message), "\(mail.text)", sourceLocation: sourceLocation)
        return mail
    }

    /// Peer → relay → next hop: what the sender wants to hear (RFC 3461) comes to the next hop as it was said to the peer.
    func takesNotificationRequest(
        from peer: Peer, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let id = Self.newID()
        try await self.server(peer).submit(
            from: "alice@alpha.test", to: ["bob@ours.test"], message: Self.hardMessage(id),
            parameters: (
                "BODY=8BITMIME RET=HDRS ENVID=the-envelope", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@first.test"
            )
        )
        let mail = try await self.arrived(id, sourceLocation: sourceLocation)
        let said = Set(mail.mailParameters + (mail.recipientParameters.first ?? []))
        let wanted: Set = ["RET=HDRS", "ENVID=the-envelope", "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;o@first.test"]
        #expect(said.isSuperset(of: wanted), "\(said)", sourceLocation: sourceLocation)
    }

    /// Relay → peer, which is asked for a report (RFC 3461): the peer's own report comes back to us, and we make none.
    ///
    /// - Parameter fields: what the report has to say, in lower case.
    func isTold(
        by peer: Peer, _ fields: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let sender = "told-by-\(peer.rawValue)@ours.test"
        let reply = try await SMTPDialog.with(port: self.lab.smtpPort) { smtp in
            try await smtp.hello()
            try await smtp.startTLS()
            return try await smtp.submit(
                from: sender, to: ["bob@\(peer.domain)"], Self.hardMessage(Self.newID()),
                parameters: (
                    "BODY=8BITMIME RET=HDRS ENVID=the-envelope", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@first.test"
                ))
        }
        let queued = try #require(reply.messageID, "\(reply)", sourceLocation: sourceLocation)
        #expect(try await self.lab.firstOutcome(of: queued).kind == .send, sourceLocation: sourceLocation)
        let report = try await self.lab.deliveredReport(on: queued, to: sender, at: "inner.test")
        #expect(report.reversePath == "", sourceLocation: sourceLocation)
        // RFC 3464 fields are case-insensitive, and Exim writes some in lower case; the blank before an address is optional.
        let text = report.text.lowercased().replacing("rfc822; ", with: "rfc822;")
        for field in fields + ["action: delivered"] {
            #expect(text.contains(field), "\(text)", sourceLocation: sourceLocation)
        }
        #expect(try await self.lab.reports(on: queued).isEmpty, sourceLocation: sourceLocation)
    }

    /// The message with this Message-ID, once it is at the next hop.
    func arrived(_ id: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> ScriptedMail {
        let inner = self.lab.peer("inner.test").server
        let isThere = await inner.wait(within: .seconds(20)) { $0.received.contains { $0.messageID == "<\(id)>" } }
        #expect(isThere, "\(id) did not come to the next hop", sourceLocation: sourceLocation)
        return try #require(inner.received.first { $0.messageID == "<\(id)>" }, sourceLocation: sourceLocation)
    }
}
