import Foundation
import LabPeers
import LabRelay
import MailModel
import Testing

/// Postfix, Exim and OpenSMTPD, each on both sides of the relay; and aiosmtpd behind it, smtplib in front.

@Suite(
    "Postfix as the peer", .interopWorld(.postfix), .timeLimit(.minutes(2)),
    .disabled(if: InteropWorld.Peer.postfix.unavailable != nil, "\(InteropWorld.Peer.postfix.unavailable ?? "")"))
struct InteropPostfixTests {
    @Test("The relay delivers to Postfix with DANE, and Postfix stores the very bytes")
    func receives() async throws {
        let stored = try await InteropWorld.current.delivers(to: .postfix)
        // Postfix's own account of the TLS session.
        #expect(stored.contains("using TLSv1.3"))
    }

    @Test("Postfix verifies our listener by its TLSA record, and the next hop takes the very bytes")
    func sends() async throws {
        let world = try InteropWorld.current
        _ = try await world.takes(from: .postfix, to: "from-postfix@ours.test")
        let postfix = try world.server(.postfix)
        #expect(await postfix.logLine(containing: "Verified TLS connection established to relay.test") != nil)
        #expect(await postfix.logLine(containing: "queued as") != nil)
    }

    @Test("What swaks submits comes to Postfix as it was")
    func swaks() async throws {
        let world = try InteropWorld.current
        let id = InteropWorld.newID()
        let result = try await Swaks(port: world.lab.smtpPort).send(
            from: "alice@alpha.test", to: ["carol@postfix.test"],
            message: "Message-ID: <\(id)>\nSubject: swaks\n\n.dot\nlast\n")
        #expect(result.wasAccepted, "\(result.transcript)")
        #expect(result.transcript.contains("queued as"))
        let stored = try #require(await world.server(.postfix).storedMessage(containing: id))
        #expect(String(decoding: stored, as: UTF8.self).hasSuffix("\n\n.dot\nlast\n"))
    }
}

@Suite(
    "Exim as the peer", .interopWorld(.exim), .timeLimit(.minutes(2)),
    .disabled(if: InteropWorld.Peer.exim.unavailable != nil, "\(InteropWorld.Peer.exim.unavailable ?? "")"))
struct InteropEximTests {
    @Test("The relay delivers to Exim with DANE, and Exim stores the very bytes")
    func receives() async throws {
        let world = try InteropWorld.current
        _ = try await world.delivers(to: .exim)
        // Exim's own account: with ESMTP over TLS, and the name in SNI.
        let taken = try #require(await world.server(.exim).logLine(containing: "for bob@exim.test"))
        #expect(taken.contains("P=esmtps ") && taken.contains("X=TLS1.3"), "\(taken)")
        #expect(taken.contains("SNI=\(InteropWorld.Peer.exim.host)"), "\(taken)")
    }

    @Test("Exim verifies our listener by its TLSA record, and the next hop takes the very bytes")
    func sends() async throws {
        let world = try InteropWorld.current
        _ = try await world.takes(from: .exim, to: "from-exim@ours.test")
        let sent = try #require(await world.server(.exim).logLine(containing: "=> from-exim@ours.test"))
        #expect(sent.contains("CV=dane"), "\(sent)")
        #expect(sent.contains("queued as"), "\(sent)")
    }
}

@Suite(
    "OpenSMTPD as the peer", .interopWorld(.opensmtpd), .timeLimit(.minutes(2)),
    .disabled(if: InteropWorld.Peer.opensmtpd.unavailable != nil, "\(InteropWorld.Peer.opensmtpd.unavailable ?? "")"))
struct InteropOpenSMTPDTests {
    @Test("The relay delivers to OpenSMTPD with DANE, and OpenSMTPD stores the very bytes")
    func receives() async throws {
        let stored = try await InteropWorld.current.delivers(to: .opensmtpd)
        #expect(stored.contains("TLSv1.3:"), "\(stored)")
    }

    @Test("OpenSMTPD sends to us over STARTTLS, and the next hop takes the very bytes")
    func sends() async throws {
        let world = try InteropWorld.current
        let mail = try await world.takes(from: .opensmtpd, to: "from-opensmtpd@ours.test")
        #expect(mail.text.contains("with ESMTPS"), "\(mail.text)")
        let sent = try #require(await world.server(.opensmtpd).logLine(containing: "result=\"Ok\""))
        #expect(sent.contains("queued as"), "\(sent)")
    }

    @Test("OpenSMTPD is told of NOTIFY, and its own report comes back")
    func reports() async throws {
        let world = try InteropWorld.current
        // It says nothing of ORCPT and ENVID in its reports.
        try await world.isTold(by: .opensmtpd, ["reporting-mta: dns; \(InteropWorld.Peer.opensmtpd.host)"])
    }

    @Test("OpenSMTPD asks us for reports, and the next hop is asked the same")
    func takesNotificationRequest() async throws {
        try await InteropWorld.current.takesNotificationRequest(from: .opensmtpd)
    }
}

@Suite(
    "aiosmtpd behind the relay and smtplib before it", .interopWorld(.aiosmtpd), .timeLimit(.minutes(2)),
    .disabled(if: InteropWorld.Peer.aiosmtpd.unavailable != nil, "\(InteropWorld.Peer.aiosmtpd.unavailable ?? "")"))
struct InteropPythonTests {
    @Test("The relay delivers to aiosmtpd with DANE, and aiosmtpd stores the very bytes")
    func receives() async throws {
        let world = try InteropWorld.current
        _ = try await world.delivers(to: .aiosmtpd)
        let server = try world.server(.aiosmtpd)
        #expect(await server.logLine(containing: "taken ('TLS_AES_256_GCM_SHA384'") != nil)
    }

    @Test("smtplib submits over STARTTLS, and the next hop takes the very bytes")
    func sends() async throws {
        let world = try InteropWorld.current
        let id = InteropWorld.newID()
        let message = InteropWorld.hardMessage(id)
        let session = try await Smtplib.send(
            port: world.lab.smtpPort, from: "alice@alpha.test", to: "from-smtplib@ours.test", message: message,
            mailOptions: "BODY=8BITMIME")
        #expect(session.contains("TLSv1.3"), "\(session)")
        let mail = try await world.arrived(id)
        #expect(mail.content.suffix(message.count).elementsEqual(message), "\(mail.text)")
    }
}
