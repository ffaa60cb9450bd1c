import DANE
import MailModel
import Routing
import TestLiterals
import Testing
import TransportSecurity

/// dane-rules 26 and 27: what may ride on an open connection. No session is resumed at all.
@Suite("Reuse")
struct ReuseTests {
    static let good = Story.record(3)
    static let anchor = Story.record(2)
    static let alice: DomainName = "alice.example"
    static let bob: DomainName = "bob.example"

    private func requirement(_ host: PlannedHost) throws -> AttemptRequirement {
        try AttemptRequirement.of(host, by: .opportunistic).get()
    }

    private func key(
        _ host: PlannedHost, protection: ConnectionReuseKey.Protection = .full
    ) throws -> ConnectionReuseKey {
        ConnectionReuseKey(
            host: host.name, address: Story.address, port: 25, requirement: try self.requirement(host),
            protection: protection)
    }

    /// Whether a connection opened for `first` and alice may serve `second` and `domain`.
    private func serves(
        _ first: PlannedHost, _ peer: DANEAuthenticatedPeer?, _ second: PlannedHost, for domain: DomainName
    ) throws -> Bool {
        let warm = WarmConnection(
            key: try self.key(first), nextHopDomain: Self.alice, proof: peer.map { .dane($0) } ?? .none)
        return warm.serves(
            try self.key(second), requirement: try self.requirement(second), nextHopDomain: domain)
    }

    @Test("dane-rules 26: a DANE-EE match serves every domain of that host")
    func endEntity() throws {
        let host = Story.host(Self.good)
        #expect(try self.serves(host, Story.peer(Self.good), host, for: Self.alice))
        #expect(try self.serves(host, Story.peer(Self.good), host, for: Self.bob))
    }

    @Test("dane-rules 26: a DANE-TA match crosses domains only under the name of the base domain")
    func trustAnchor() throws {
        let alices = Story.host(Self.anchor, names: [Story.mx, Self.alice])
        let bobs = Story.host(Self.anchor, names: [Story.mx, Self.bob])
        let byBase = Story.peer(Self.anchor, named: Story.mx)
        let byDomain = Story.peer(Self.anchor, named: Self.alice)
        #expect(try self.serves(alices, byBase, bobs, for: Self.bob))
        #expect(try self.serves(alices, byDomain, alices, for: Self.alice))
        #expect(try !self.serves(alices, byDomain, bobs, for: Self.bob))
        // Not even where both domains' mail could have been proved by that name.
        #expect(try !self.serves(alices, byDomain, alices, for: Self.bob))
    }

    @Test("dane-rules 26: another TLSA RRset, another requirement or no proof is no reuse")
    func differences() throws {
        let host = Story.host(Self.good)
        let proof = Story.peer(Self.good)
        #expect(try !self.serves(host, proof, Story.host(Self.good, Self.anchor), for: Self.alice))
        #expect(try !self.serves(Story.plainHost, nil, host, for: Self.alice))
        #expect(try !self.serves(host, proof, Story.host(Story.record(0)), for: Self.alice))
        #expect(try !self.serves(host, nil, host, for: Self.alice))
    }

    @Test("dane-rules 14, 26: where OpenSSL rejected each record, equal records are served, others are not (field D10)")
    func rejectedRecords() throws {
        let host = Story.host(Self.good)
        let warm = WarmConnection(
            key: try self.key(host), nextHopDomain: Self.alice, proof: .none, isWithoutUsableRecords: true)
        func serves(_ other: PlannedHost, for domain: DomainName) throws -> Bool {
            warm.serves(try self.key(other), requirement: try self.requirement(other), nextHopDomain: domain)
        }
        #expect(try serves(host, for: Self.alice))
        #expect(try serves(host, for: Self.bob))
        for other in [
            Story.host(Self.good, Self.anchor), Story.host(Story.record(3, fill: 2)), Story.host(Story.record(0)),
            Story.host(Self.good, trust: .insecureMX), Story.plainHost,
        ] { #expect(try !serves(other, for: Self.alice)) }
    }

    @Test("dane-rules 26: another host on the same address is no reuse")
    func otherHost() throws {
        let other = PlannedHost(
            name: "mx2.example.org", addresses: [Story.address], requirement: .opportunistic)
        #expect(try self.key(Story.plainHost) != self.key(other))
        #expect(try self.serves(Story.plainHost, nil, Story.plainHost, for: Self.bob))
    }

    @Test("dane-rules 26: a connection opened for `TLS-Required: No` never serves protected mail")
    func tlsNotRequired() throws {
        #expect(try self.key(Story.plainHost, protection: .tlsNotRequired) != self.key(Story.plainHost))
    }

    @Test("dane-rules 27: a secure and an insecure chain to the same address share nothing")
    func chains() throws {
        let secure = Story.host(Self.good)
        let insecure = Story.host(Self.good, trust: .insecureMX)
        #expect(try !self.serves(secure, Story.peer(Self.good), insecure, for: Self.alice))
        #expect(try !self.serves(insecure, Story.peer(Self.good), secure, for: Self.alice))
    }

    @Test("dane-rules 26: a resumed session without proof is a failure where authentication is owed")
    func resumedWithoutProof() throws {
        #expect(try self.requirement(Story.host(Self.good)).decide(.established(.none)) == .nextHost(.tlsaInvalid))
    }
}
