import MailModel
import Testing

@testable import SMTPProtocol

/// AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN.
@Suite("SMTP server: AUTH")
struct SMTPServerAuthenticationTests {
    /// NUL alice NUL secret
    private static let plain = "AGFsaWNlAHNlY3JldA=="
    private static let alice = SASLCredentials(authenticationID: "alice", password: Array("secret".utf8))

    /// A client that has done STARTTLS and EHLO.
    private func secure(_ limits: SMTPServerLimits = SMTPServerLimits()) throws -> ServerConversation {
        var talk = try ServerConversation(limits: limits, offersAuthentication: true)
        talk.send("EHLO c.test\r\n")
        talk.send("STARTTLS\r\n")
        talk.send("EHLO c.test\r\n")
        #expect(talk.transcript == ["250", "220", "TLS", "250"])
        talk.transcript = []
        return talk
    }

    @Test(
        "Credentials come with the command or after it, by PLAIN or LOGIN",
        arguments: [
            ("AUTH PLAIN \(plain)\r\n", ["235"]), ("auth plain\r\n\(plain)\r\n", ["334", "235"]),
            ("AUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\n", ["334", "334", "235"]),
            ("AUTH LOGIN YWxpY2U=\r\nc2VjcmV0\r\n", ["334", "235"]),
        ])
    func mechanisms(_ text: String, _ replies: [String]) throws {
        for feeding in Feeding.allCases {
            var talk = try self.secure()
            talk.send(text, feeding)
            #expect(talk.transcript == replies)
            #expect(talk.credentials == [Self.alice])
            #expect(talk.session.authenticatedIdentity == "alice")
        }
    }

    @Test("AUTH is offered over TLS only: in clear it is 538, and nothing is judged")
    func cleartext() throws {
        var talk = try ServerConversation(offersAuthentication: true)
        talk.send("EHLO c.test\r\nAUTH PLAIN \(Self.plain)\r\nAUTH LOGIN\r\nNOOP\r\n")
        #expect(talk.transcript == ["250", "538", "538", "250"])
        #expect(talk.credentials.isEmpty)
    }

    @Test("Without an authenticator AUTH is 502; before EHLO it is 503, and an unknown mechanism is 504")
    func notNow() throws {
        var without = try ServerConversation()
        without.send("EHLO c.test\r\nAUTH PLAIN \(Self.plain)\r\n")
        #expect(without.transcript == ["250", "502"])
        var early = try ServerConversation(offersAuthentication: true)
        early.send("AUTH PLAIN \(Self.plain)\r\nHELO c.test\r\nAUTH PLAIN \(Self.plain)\r\n")
        #expect(early.transcript == ["503", "250", "503"])
        var other = try self.secure()
        other.send("AUTH CRAM-MD5\r\nAUTH\r\nAUTH PLAIN a b\r\n")
        #expect(other.transcript == ["504", "501", "501"])
    }

    @Test(
        "What is no base64, no response of the mechanism, or a `*` is 501, and the session goes on",
        arguments: [
            "*", "=", "AGFsaWNl", "!!!!", "AGFsaWNlAHNlY3JldA", "AGFsaWNlAHNlY3JldA===", "A===", "AGFsaWNlAHNlY3JldB==",
            "AABzZWNyZXQ=", "AGFsaWNlAA==", "AGFsaWNlAHNlYwByZXQ=", "AP8Ac2VjcmV0",
        ])
    func malformed(_ response: String) throws {
        var talk = try self.secure()
        talk.send("AUTH PLAIN\r\n\(response)\r\nAUTH PLAIN \(response)\r\nNOOP\r\n")
        #expect(talk.transcript == ["334", "501", "501", "250"])
        #expect(talk.credentials.isEmpty)
    }

    @Test("A name with a NUL or of 256 bytes is 501; so is an empty password")
    func unfitNames() throws {
        for name in ["YQBi", Self.base64(String(repeating: "a", count: 256)), ""] {
            var talk = try self.secure()
            talk.send("AUTH LOGIN\r\n\(name)\r\nAUTH LOGIN YWxpY2U=\r\n\r\n")
            #expect(talk.transcript == ["334", "501", "334", "501"])
        }
    }

    @Test("AUTH is done once, and not within a transaction")
    func sequence() throws {
        var talk = try self.secure()
        talk.send("MAIL FROM:<a@c.test>\r\nAUTH PLAIN \(Self.plain)\r\nRSET\r\nAUTH PLAIN \(Self.plain)\r\n")
        talk.send("AUTH PLAIN \(Self.plain)\r\nMAIL FROM:<a@c.test>\r\n")
        #expect(talk.transcript == ["250", "503", "250", "235", "503", "250"])
    }

    @Test("A line of 12,288 bytes is read, a longer one is 500 and ends the exchange")
    func longLine() throws {
        for (length, code) in [(12_286, "501"), (12_287, "500")] {
            for feeding in Feeding.allCases {
                var talk = try self.secure()
                talk.send("AUTH PLAIN\r\n" + String(repeating: "!", count: length) + "\r\nNOOP\r\n", feeding)
                #expect(talk.transcript == ["334", code, "250"])
            }
        }
        var flood = try self.secure()
        flood.send("AUTH PLAIN\r\n")
        flood.send([UInt8](repeating: 0x78, count: 1_000_000))
        #expect(flood.transcript == ["334", "500", "closed"])
        var nul = try self.secure()
        nul.send("AUTH PLAIN\r\n\0\r\n")
        #expect(nul.transcript == ["334", "500", "closed"])
    }

    @Test("Wrong credentials are 535 and no identity, the third time 421; when nobody can tell it is 454")
    func refusals() throws {
        var talk = try self.secure()
        talk.decision = .unavailable
        talk.send("AUTH PLAIN \(Self.plain)\r\n")
        talk.decision = .refused
        talk.send(String(repeating: "AUTH PLAIN \(Self.plain)\r\n", count: 4))
        #expect(talk.transcript == ["454", "535", "535", "421", "closed"])
        #expect(talk.session.authenticatedIdentity == nil)
    }

    @Test("A client may not ask for ever when nobody can tell")
    func patience() throws {
        var limits = SMTPServerLimits()
        limits.idleCommands = 10
        var talk = try self.secure(limits)
        talk.decision = .unavailable
        talk.send(String(repeating: "AUTH PLAIN \(Self.plain)\r\n", count: 20))
        #expect(talk.transcript.suffix(2) == ["421", "closed"])
        #expect(talk.transcript.count < 12)
    }

    @Test("While credentials are judged nothing else runs")
    func waits() throws {
        var talk = try self.secure()
        var content: [UInt8] = []
        let line = Array("AUTH PLAIN \(Self.plain)\r\n".utf8)
        let step = talk.session.receive((line + Array("QUIT\r\n".utf8)).span, content: &content)
        #expect(step == SMTPServerStep(line.count, .authenticate(Self.alice)))
        #expect(talk.session.waitingFor == .owner)
        #expect(
            talk.session.receive(Array("QUIT\r\n".utf8).span, content: &content) == SMTPServerStep(0, .waitForOwner))
        #expect("\(step)".contains("secret") == false)
    }

    private static func base64(_ text: String) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var encoded = ""
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let group = Array(rest.prefix(3))
            rest = rest.dropFirst(3)
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                encoded.append(place <= group.count ? letters[bits >> (18 - 6 * place) & 63] : "=")
            }
        }
        return encoded
    }
}
