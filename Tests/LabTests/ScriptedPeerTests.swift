import LabPeers
import MailModel
import TLSEngine
import Testing

private let message = "Subject: hello\nMessage-ID: <one@alpha.test>\n\nFirst line\n.dot in front\n"

@Suite(.timeLimit(.minutes(3)))
struct ScriptedPeerTests {
    /// Sends one message by swaks to a peer with these rules.
    private func exchange(
        _ rules: [ScriptedRule], tls: Swaks.TLS = .none, to recipients: [String] = ["bob@bravo.test"]
    ) async throws -> (Swaks.Result, ScriptedPeer) {
        let certificates = tls == .none ? nil : try PeerIdentity("mx.bravo.test").store
        let peer = try await ScriptedPeer.start(rules, hostName: "mx.bravo.test", certificates: certificates)
        var swaks = Swaks(port: peer.port, tls: tls)
        swaks.serverName = tls == .none ? nil : "mx.bravo.test"
        let result = try await swaks.send(from: "alice@alpha.test", to: recipients, message: message)
        await peer.stop()
        return (result, peer)
    }

    @Test("Without rules it is a well-behaved MX that keeps envelope and bytes")
    func wellBehaved() async throws {
        let (result, peer) = try await self.exchange([], to: ["bob@bravo.test", "carol@bravo.test"])
        #expect(result.exitStatus == 0, "\(result.transcript)")
        let mail = try #require(peer.received.first)
        #expect(mail.helloName == "client.test")
        #expect(mail.reversePath == "alice@alpha.test")
        #expect(mail.recipients == ["bob@bravo.test", "carol@bravo.test"])
        #expect(mail.messageID == "<one@alpha.test>")
        #expect(mail.text.hasSuffix("\r\n\r\nFirst line\r\n.dot in front\r\n"))
        #expect(mail.tls == nil)
        #expect(mail.replyCode == 250)
    }

    @Test("With certificates it offers STARTTLS and tells the client's SNI")
    func startTLS() async throws {
        let (result, peer) = try await self.exchange([], tls: .required)
        #expect(result.exitStatus == 0, "\(result.transcript)")
        let mail = try #require(peer.received.first)
        #expect(mail.tls?.version == "TLSv1.3")
        #expect(mail.tls?.serverName?.text == "mx.bravo.test")
        #expect(result.transcript.contains("~> MAIL FROM:<alice@alpha.test>"))
        // STARTTLS is not offered again under TLS (RFC 3207 §4.2).
        #expect(result.transcript.split(separator: "STARTTLS\n").count >= 2)
        #expect(!result.transcript.contains("<~  250-STARTTLS") && !result.transcript.contains("<~  250 STARTTLS"))
    }

    @Test("STARTTLS can be stripped from the offer")
    func strippedSTARTTLS() async throws {
        let (result, peer) = try await self.exchange([.withoutSTARTTLS], tls: .required)
        #expect(!result.wasAccepted)
        #expect(!result.transcript.contains("250-STARTTLS") && !result.transcript.contains("250 STARTTLS"))
        #expect(peer.received.isEmpty)
    }

    @Test("STARTTLS can be offered, then answered 454")
    func refusedSTARTTLS() async throws {
        let (result, peer) = try await self.exchange(
            [.on(.startTLS, .reply("454 4.7.0 TLS not available"))], tls: .required)
        #expect(!result.wasAccepted)
        #expect(result.transcript.contains("454 4.7.0 TLS not available"))
        #expect(peer.commands.contains("STARTTLS"))
        #expect(peer.received.isEmpty)
    }

    @Test("A rule may name one recipient: the others are taken")
    func oneRecipientDeferred() async throws {
        let (result, peer) = try await self.exchange(
            [.on(.everyRecipient, .proceed), .on(.recipient(2), .reply("450 4.2.0 later"))],
            to: ["a@bravo.test", "b@bravo.test", "c@bravo.test"])
        #expect(result.transcript.contains("450 4.2.0 later"))
        #expect(peer.received.first?.recipients == ["a@bravo.test", "c@bravo.test"])
    }

    @Test("EOF before the dot: nothing is taken; EOF after the dot: taken, and no reply")
    func endOfFileAroundTheDot() async throws {
        let (before, early) = try await self.exchange([.on(.data, .proceed, .close)])
        #expect(!before.wasAccepted)
        #expect(early.received.isEmpty)
        let (after, late) = try await self.exchange([.on(.endOfData, .close)])
        #expect(!after.wasAccepted)
        #expect(late.received.map(\.replyCode) == [nil])
    }

    @Test("A rule may name one connection: the next fares better")
    func secondConnectionFaresBetter() async throws {
        let peer = try await ScriptedPeer.start([.on(.greeting, connection: 1, .reply("421 4.3.2 busy"), .close)])
        let swaks = Swaks(port: peer.port, tls: .none)
        let first = try await swaks.send(from: "a@alpha.test", to: ["b@bravo.test"], message: message)
        let second = try await swaks.send(from: "a@alpha.test", to: ["b@bravo.test"], message: message)
        #expect(!first.wasAccepted)
        #expect(second.wasAccepted)
        #expect(peer.received.map(\.connection) == [2])
        await peer.stop()
    }

    @Test("A slow reply comes late, and nothing overtakes it")
    func slowReply() async throws {
        let start = ContinuousClock.now
        let (result, peer) = try await self.exchange([.on(.mail, .wait(.milliseconds(300)), .proceed)])
        #expect(result.wasAccepted)
        #expect(ContinuousClock.now - start >= .milliseconds(300))
        #expect(peer.received.count == 1)
    }
}
