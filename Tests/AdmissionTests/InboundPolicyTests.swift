import MailModel
import Routing
import TestLiterals
import Testing

@testable import Admission

/// Who may send what, as values.
@Suite("Inbound policy")
struct InboundPolicyTests {
    private static let policy = InboundPolicy(
        domains: [
            "bravo.test": AcceptedDomain(),
            "hop.test": AcceptedDomain(
                nextHop: .host("inside.test", port: 2525), verification: .list(RecipientList(["alice", "Mixed.Case"]))),
            "asked.test": AcceptedDomain(verification: .callAhead),
        ],
        relayNetworks: CIDRBlock.loopback, postmaster: "postmaster@bravo.test")
    private static let address = IPAddress.v4(0xC000_0201)

    /// The kinds of clients, by what they have proved.
    enum Client: CaseIterable {
        case stranger, relayNetwork, user, certificate

        var identity: ClientIdentity {
            switch self {
            case .stranger: ClientIdentity(InboundPolicyTests.address)
            case .relayNetwork: ClientIdentity(.loopback)
            case .user: ClientIdentity(InboundPolicyTests.address, user: "alice")
            case .certificate:
                ClientIdentity(InboundPolicyTests.address, certificateSubject: "CN=edge")
            }
        }

        var mayRelay: Bool { self != .stranger }
    }

    private let policy = Self.policy

    private func code(_ text: String, from client: Client = .stranger) throws -> UInt16 {
        let path = try #require(ForwardPath("<\(text)>"), "\(text)")
        switch self.policy.admit(path, from: client.identity) {
        case .success: return 250
        case .failure(let refusal): return refusal.reply.code
        }
    }

    @Test(
        "Mail for an accepted domain is taken from anyone, for another from clients that may relay",
        arguments: Client.allCases)
    func admission(_ client: Client) throws {
        #expect(self.policy.mayRelay(client.identity) == client.mayRelay)
        #expect(try self.code("a@bravo.test", from: client) == 250)
        #expect(try self.code("a@other.test", from: client) == (client.mayRelay ? 250 : 550))
    }

    @Test("A relay network holds for IPv4 clients of a dual-stack listener, too")
    func mappedAddress() {
        #expect(self.policy.mayRelay(ClientIdentity(.v6(0, 0xFFFF_7F00_0001))))
        #expect(!self.policy.mayRelay(ClientIdentity(.v6(0, 0xFFFF_C000_0201))))
    }

    @Test(
        "hostile-input 12: no spelling of an address lets a stranger relay, whatever is verified about recipients",
        arguments: [
            "bob@else.test", "bob@ELSE.TEST", "bob@else.test.", "@bravo.test:bob@else.test", "bob%else.test@bravo.test",
            "else.test!bob@bravo.test", "\"bob@else.test\"@bravo.test", "bob@[127.0.0.1]", "bob@bravo.test.else.test",
            "alice%else.test@hop.test", "\"alice@else.test\"@hop.test", "@hop.test:alice@else.test",
            "bob%else.test@asked.test", "@bravo.test:bob@bravo.test",
        ])
    func openRelay(_ text: String) throws {
        #expect(try self.code(text) == 550)
    }

    @Test(
        "hostile-input 12: for who may relay a literal leads to its address, and other spellings to their own domain (field C16)",
        arguments: Client.allCases)
    func authenticatedSpellings(_ client: Client) throws {
        for (literal, address) in [("[192.0.2.1]", "192.0.2.1"), ("[IPv6:2001:db8::1]", "2001:db8::1")] {
            let path = try #require(ForwardPath("<bob@\(literal)>"))
            let admitted = try? self.policy.admit(path, from: client.identity).get()
            #expect(admitted?.path == (client.mayRelay ? path : nil))
            let hop = admitted.map { self.policy.nextHop(for: $0.domain, port: 26) }
            #expect(hop == (client.mayRelay ? IPAddress(address).map { .literal($0, port: 26) } : nil))
        }
        for text in ["bob%else.test@bravo.test", "@else.test:bob@bravo.test", "\"bob@else.test\"@bravo.test"] {
            let path = try #require(ForwardPath("<\(text)>"))
            let admitted = try? self.policy.admit(path, from: client.identity).get()
            #expect(admitted?.domain == (client.mayRelay ? "bravo.test" : nil))
        }
    }

    @Test(
        "A list knows its local parts in any case, and the postmaster; for everyone else 550",
        arguments: Client.allCases)
    func list(_ client: Client) throws {
        for known in [
            "alice@hop.test", "ALICE@Hop.Test", "mixed.case@hop.test", "\"alice\"@hop.test", "PostMaster@hop.test",
        ] {
            #expect(try self.code(known, from: client) == 250)
        }
        for unknown in ["bob@hop.test", "alice+tag@hop.test", "alic@hop.test"] {
            #expect(try self.code(unknown, from: client) == 550)
        }
    }

    @Test("Only the recipients of a domain with call-ahead are to be asked about, and not its postmaster")
    func callAhead() throws {
        func isAsked(_ text: String) throws -> Bool {
            let path = try #require(ForwardPath("<\(text)>"))
            return try self.policy.admit(path, from: Client.relayNetwork.identity).get().isToBeAsked
        }
        #expect(try isAsked("bob@asked.test"))
        #expect(try !isAsked("Postmaster@asked.test"))
        #expect(try !isAsked("bob@bravo.test"))
        #expect(try !isAsked("alice@hop.test"))
        #expect(try !isAsked("bob@else.test"))
    }

    @Test("The DNS says where accepted mail goes unless an address is named, and nothing is asked of other domains")
    func foundByDNS() {
        let policy = InboundPolicy(
            domains: [
                "mx.test": AcceptedDomain(), "host.test": AcceptedDomain(nextHop: .host("inside.test", port: 25)),
                "address.test": AcceptedDomain(nextHop: .address(.v4(1), port: 25)),
            ], relayNetworks: [])
        #expect(policy.isFoundByDNS("mx.test") && policy.isFoundByDNS("host.test"))
        #expect(!policy.isFoundByDNS("address.test") && !policy.isFoundByDNS("else.test"))
    }

    @Test("The bare Postmaster goes to the configured mailbox, and is refused where there is none (RFC 5321 §4.5.1)")
    func postmaster() throws {
        let admitted = try self.policy.admit(.postmaster, from: Client.stranger.identity).get()
        #expect(admitted == AdmittedRecipient(path: .mailbox("postmaster@bravo.test"), domain: "bravo.test"))
        let without = InboundPolicy(domains: [:], relayNetworks: [])
        guard case .failure(let refusal) = without.admit(.postmaster, from: Client.stranger.identity) else {
            Issue.record("admitted")
            return
        }
        #expect(refusal.reply.serialised.starts(with: "550 5.1.1 ".utf8))
    }

    @Test("Next hops are as configured, and by MX otherwise")
    func nextHops() {
        #expect(self.policy.nextHop(for: "hop.test", port: 25) == .host("inside.test", port: 2525))
        #expect(self.policy.nextHop(for: "bravo.test", port: 25) == .domain("bravo.test", port: 25))
        #expect(self.policy.nextHop(for: "other.test", port: 26) == .domain("other.test", port: 26))
    }
}
