import Cryptography
import GRPCCore
import GRPCTransport
import LabSupport
import Synchronization
import TLSEngine
import Testing

/// How the two sides of the control channel know each other, over real sockets.
@Suite("Identities in a cluster", .timeLimit(.minutes(2)))
struct ClusterIdentityTests {
    let pki, foreign: ClusterPKI
    init() throws {
        self.pki = try ClusterPKI()
        self.foreign = try ClusterPKI()
    }

    @Test("control 11: who knows an authority by its hash alone reaches a controller of it, and none of another")
    func pinned() async throws {
        try await ClusterServer.run(self.pki.store(self.pki.controller())) { server in
            #expect(try await server.who(self.pki.pinned()) == "nobody")
            let refused = try await server.who(self.foreign.pinned())
            #expect(refused.hasPrefix("unavailable: ") && refused.contains("TLS: "), "\(refused)")
        }
    }

    @Test("control 11: a hash in a chain that does not lead to it proves nothing")
    func forgedChain() async throws {
        // The right authority's certificate stands behind a leaf that another one issued.
        let leaf = try self.foreign.controller()
        let key = try PrivateKey(.p256)
        let issued = try self.foreign.authority.issue(
            CertificateRequest(
                commonName: "c1", dnsNames: [ClusterPKI.host], notBefore: leaf.chain[0].value.notBefore,
                notAfter: leaf.chain[0].value.notAfter), key: key)
        let forged = try ServerCertificate(
            chainPEM: Array((issued.pem + self.pki.authority.certificate.pem).utf8), keyPEM: Array(key.pem.utf8))
        try await ClusterServer.run(self.pki.store(forged)) { server in
            let refused = try await server.who(self.pki.pinned())
            #expect(refused.hasPrefix("unavailable: "), "\(refused)")
        }
    }

    @Test("control 16, 31: handlers know a client of the authority, and serve others as nobody")
    func clients() async throws {
        try await ClusterServer.run(self.pki.store(self.pki.controller())) { server in
            let known = try self.pki.known(self.pki.node("edge-1.example.test"))
            #expect(
                try await server.who(known)
                    == "CN=edge-1.example.test [\"relay://lab/node/edge-1.example.test\"]")
            let admin = try self.pki.known(self.pki.issue("alice", "relay://lab/admin/alice"))
            #expect(try await server.who(admin) == "CN=alice [\"relay://lab/admin/alice\"]")
            let others: [ServerCertificate?] = [
                nil, try self.pki.node("edge-1.example.test", endsIn: -60),
                try self.pki.node("edge-1.example.test", endsIn: 86_400 + 600),
                try self.foreign.node("edge-1.example.test"),
            ]
            for other in others {
                #expect(try await server.who(self.pki.known(other)) == "nobody")
            }
        }
    }

    @Test("control 16: a person's or a node's certificate cannot pose as a controller, whatever its common name")
    func impostors() async throws {
        let impostors = [
            try self.pki.issue(ClusterPKI.host, "relay://lab/admin/\(ClusterPKI.host)"),
            try self.pki.node(ClusterPKI.host),
        ]
        for impostor in impostors {
            try await ClusterServer.run(self.pki.store(impostor)) { server in
                for security in [try self.pki.known(nil), try self.pki.pinned()] {
                    let refused = try await server.who(security)
                    #expect(refused.hasPrefix("unavailable: ") && refused.contains("mismatch"), "\(refused)")
                }
            }
        }
    }

    @Test("control 14: a server's certificates and authorities are replaced under load, and no call fails by it")
    func rotation() async throws {
        let (old, new) = (self.pki, self.foreign)
        let both = RecognisedClients(
            authorities: [old.authority.certificate, new.authority.certificate], fingerprints: [])
        let store = try ServerCertificateStore([old.controller()], applicationProtocols: ["h2"], clients: both)
        let context = try old.context(old.node("edge-1.example.test"), and: [new.authority.certificate])
        let calls = Counter()
        try await ClusterServer.run(store) { server in
            let client = server.client(.tls(context, try ClusterPKI.byAuthority))
            try await BareTransport.with(client) { client in
                let over = Counter()
                try await withThrowingTaskGroup { group in
                    for _ in 0..<4 {
                        group.addTask {
                            while over.value.load(ordering: .relaxed) == 0 {
                                let name = try await ClusterServer.who(client)
                                #expect(name.hasPrefix("CN=edge-1.example.test "))
                                calls.value.add(1, ordering: .relaxed)
                            }
                        }
                    }
                    for step in 1...20 {
                        try store.replace([(step % 2 == 0 ? old : new).controller("c\(step)")], clients: both)
                        client.reconnect()
                        let before = calls.value.load(ordering: .relaxed)
                        #expect(
                            await eventually(within: .seconds(10)) {
                                calls.value.load(ordering: .relaxed) >= before + 8
                            })
                    }
                    over.value.store(1, ordering: .relaxed)
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("control 12: a renewed certificate is shown from the next connection on, and no call fails by it")
    func renewal() async throws {
        let pki = self.pki
        let held = Mutex(try pki.node("edge-1.example.test"))
        let security = GRPCClientTransport.Security.tls {
            (try pki.context(held.withLock { $0 }), try ClusterPKI.byAuthority)
        }
        try await ClusterServer.run(pki.store(pki.controller())) { server in
            try await BareTransport.with(server.client(security)) { client in
                _ = try await client.parts()
                for number in 2...4 {
                    let renewed = try pki.node("edge-\(number).example.test")
                    held.withLock { $0 = renewed }
                    client.reconnect()
                    var name = try await ClusterServer.who(client)
                    let end = ContinuousClock.now + .seconds(10)
                    while !name.hasPrefix("CN=edge-\(number)."), ContinuousClock.now < end {
                        #expect(name.hasPrefix("CN=edge-\(number - 1)."))
                        name = try await ClusterServer.who(client)
                    }
                    #expect(name.hasPrefix("CN=edge-\(number)."))
                }
            }
        }
    }

    @Test("control 31: a client that has no certificate to show says so, and connects once it has one")
    func noCertificate() async throws {
        let pki = self.pki
        let held = Mutex<ServerCertificate?>(nil)
        let security = GRPCClientTransport.Security.tls {
            guard let identity = held.withLock({ $0 }) else { throw LabFailure("no identity yet") }
            return (try pki.context(identity), try ClusterPKI.byAuthority)
        }
        try await ClusterServer.run(pki.store(pki.controller())) { server in
            try await BareTransport.with(server.client(security)) { client in
                let error = await #expect(throws: RPCError.self) { try await client.parts(waitForReady: false) }
                #expect(error?.code == .unavailable && error?.message.contains("no identity yet") == true)
                let identity = try pki.node("edge-1.example.test")
                held.withLock { $0 = identity }
                let parts = try await client.parts()
                #expect(parts.status?.code == .ok)
            }
        }
    }
}
