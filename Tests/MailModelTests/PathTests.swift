import MailModel
import Testing

@Suite struct PathTests {
    @Test(
        "A mailbox is read by RFC 5321 §4.1.2 and written in its canonical form",
        arguments: [
            ("a.b+c@Example.ORG", "a.b+c@example.org"), ("User@example.org.", "User@example.org"),
            ("\"a.b\"@example.org", "a.b@example.org"), ("\"a b\"@example.org", "\"a b\"@example.org"),
            ("\"a\\\"\\b\\\\\"@example.org", "\"a\\\"b\\\\\"@example.org"), ("a@[192.0.2.1]", "a@[192.0.2.1]"),
            ("a@[IPv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]"), (";sh@example.org", nil),
            ("a..b@example.org", "\"a..b\"@example.org"),
            (".a@example.org", "\".a\"@example.org"), ("a@", nil), ("@example.org", nil), ("a@b@example.org", nil),
            ("a@[2001:db8::1]", nil), ("a@[192.0.2.1", nil), ("\"a@example.org", nil), ("a b@example.org", nil),
            ("ä@example.org", "ä@example.org"), ("ä b@example.org", nil), ("a\u{85}@example.org", nil),
            ("\"\"@example.org", nil), ("a@exa mple.org", nil),
        ] as [(String, String?)])
    func mailbox(_ text: String, _ canonical: String?) {
        #expect(Mailbox(text)?.description == canonical)
    }

    @Test(
        "Dots may stand anywhere in a local part; with quotes or without, it is one mailbox (field C11)",
        arguments: ["john..doe", "john.", ".john", "..", "jörg..", "a.b"])
    func dots(_ local: String) throws {
        let plain = try #require(Mailbox("\(local)@example.org"))
        let quoted = try #require(Mailbox("\"\(local)\"@example.org"))
        #expect(plain == quoted && plain.localPart == local)
        #expect(plain.description == (local == "a.b" ? "a.b@example.org" : "\"\(local)\"@example.org"))
        #expect(Mailbox(plain.description) == plain)
        #expect(
            ForwardPath("<\(local)%elsewhere.test@example.org>")?.relayTarget
                == .routed(try #require(DomainName("example.org")), by: .percent))
    }

    @Test("The null reverse path, a source route and the bare postmaster are read")
    func paths() throws {
        #expect(ReversePath("<>") == .null)
        #expect(ReversePath("<a@b.test>")?.description == "<a@b.test>")
        #expect(ReversePath("<@x.test,@y.test:a@b.test>")?.description == "<a@b.test>")
        #expect(ForwardPath("<PostMaster>") == .postmaster)
        #expect(ForwardPath("<@x.test:a@b.test>")?.description == "<a@b.test>")
        for text in ["<>", "a@b.test", "<a@b.test", "<a@b.test>x", "<@x.test a@b.test>", "<@x.test>", "<a>"] {
            #expect(ForwardPath(text) == nil, "\(text)")
        }
    }

    @Test(
        "hostile-input 12: a stranger cannot relay in any spelling",
        arguments: [
            "<v@victim.test>", "<V@VICTIM.TEST>", "<v@victim.test.>", "<@ours.test:v@victim.test>",
            "<@ours.test,@x.test:v@victim.test>", "<v%victim.test@ours.test>", "<victim.test!v@ours.test>",
            "<\"v@victim.test\"@ours.test>", "<v@[192.0.2.1]>", "<v@[IPv6:2001:db8::1]>", "<v@xn--bcher-kva.test>",
            "<v@ours.test.victim.test>", "<@victim.test:v@ours.test>",
        ])
    func openRelay(_ text: String) throws {
        let path = try #require(ForwardPath(text))
        let decision = path.relayDecision(clientMayRelay: false) { $0.text == "ours.test" }
        guard case .refuse(let reply) = decision else { return #expect(Bool(false), "\(text) passed") }
        #expect(reply.code == 550 && reply.enhancedStatus?.description == "5.7.1")
    }

    @Test("hostile-input 12: an accepted domain is known in any case and with a trailing dot; who may relay, may")
    func mayPass() throws {
        let ours = try #require(DomainName("ours.test"))
        for text in ["<u@ours.test>", "<u@OURS.Test>", "<u@ours.test.>"] {
            let path = try #require(ForwardPath(text))
            #expect(path.relayDecision(clientMayRelay: false) { $0 == ours } == .relay(to: ours))
        }
        let other = try #require(ForwardPath("<v@victim.test>"))
        let victim = try #require(DomainName("victim.test"))
        #expect(other.relayDecision(clientMayRelay: true) { $0 == ours } == .relay(to: victim))
        let literal = try #require(ForwardPath("<v@[127.0.0.1]>"))
        #expect(literal.relayTarget == .addressLiteral(.v4(0x7f00_0001)))
        let stored = DomainName(literal: .v4(0x7f00_0001))
        #expect(literal.relayDecision(clientMayRelay: true) { $0 == ours } == .relay(to: stored))
        guard case .refuse = literal.relayDecision(clientMayRelay: false, isAccepted: { _ in true }) else {
            return #expect(Bool(false), "An address literal passed.")
        }
    }

    @Test("A literal is stored under a name of its own, and read back from it (field C16)")
    func literalNames() throws {
        for (address, name) in [
            ("192.0.2.1", "192-0-2-1"), ("2001:db8::1", "2001-db8-0-0-0-0-0-1"), ("::ffff:192.0.2.1", "192-0-2-1"),
            ("255.255.255.255", "255-255-255-255"), ("::1", "0-0-0-0-0-0-0-1"),
        ] {
            let address = try #require(IPAddress(address))
            let stored = DomainName(literal: address)
            #expect(stored.text == "\(name).address-literal.invalid")
            #expect(DomainName(stored.text) == stored)
            #expect(stored.literalAddress == address.unmapped)
        }
        for other in [
            "address-literal.invalid", "x.address-literal.invalid", "192-0-2.address-literal.invalid",
            "192-0-2-256.address-literal.invalid", "192-0-2-01.address-literal.invalid", "192-0-2-1.example.org",
            "0-0-0-0-0-ffff-c000-201.address-literal.invalid", "a.192-0-2-1.address-literal.invalid",
        ] {
            #expect(DomainName(other)?.literalAddress == nil, "\(other)")
        }
    }

    @Test(
        "Nobody can write to the name under which a literal is stored (field C16)",
        arguments: [
            "<v@192-0-2-1.address-literal.invalid>", "<V@192-0-2-1.Address-Literal.INVALID.>",
            "<v%x@192-0-2-1.address-literal.invalid>", "<v@address-literal.invalid>", "<v@x.address-literal.invalid>",
        ])
    func literalNameRefused(_ text: String) throws {
        let path = try #require(ForwardPath(text))
        for mayRelay in [true, false] {
            guard case .refuse = path.relayDecision(clientMayRelay: mayRelay, isAccepted: { _ in true }) else {
                return #expect(Bool(false), "\(text) passed")
            }
        }
    }

    @Test("hostile-input 12: a quote in a local part stays quoted whatever accent follows it")
    func accentedQuote() throws {
        let domain = try #require(DomainName("ours.test"))
        for local in ["\"\u{301}@evil.test>", "\\\u{308}", "\u{301}", "a\"\u{301}b"] {
            let path = ReversePath.mailbox(try #require(Mailbox(localPart: local, domain: .name(domain))))
            #expect(ReversePath("\(path)") == path)
        }
    }
}
