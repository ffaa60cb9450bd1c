import Cryptography
import Foundation
import LabPeers
import LabSupport
import NIOCore
import NIOPosix
import TLSEngine
import Testing

/// Tells each client, as one line, who the server takes it for, and closes.
private final class Introduction: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .serverHandshake(.encrypted(let info))? = event as? TLSEvent else { return }
        let line = "you are \(info.client?.subject ?? "nobody"), \(info.resumed ? "again" : "anew")\n"
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: line))).assumeIsolated().whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }
}

/// Clients that prove themselves by certificates, with `openssl s_client` as the client.
@Suite("Client certificates", .timeLimit(.minutes(2)))
struct ClientCertificateTests {
    enum Version: String, CaseIterable {
        case tls12 = "-tls1_2"
        case tls13 = "-tls1_3"
    }

    let pki, foreign: TestPKI
    let server: TestPKI.Leaf
    let files: Files
    init() throws {
        self.pki = try TestPKI()
        self.foreign = try TestPKI()
        self.server = try self.pki.leaf("mx.example.test")
        self.files = try Files()
    }

    private func store(_ clients: RecognisedClients?) throws -> ServerCertificateStore {
        let certificate = try self.server.serverCertificate()
        return try ServerCertificateStore([certificate], clients: clients)
    }

    private func withServer<Value>(
        _ store: ServerCertificateStore, _ body: (Int) async throws -> Value
    ) async throws -> Value {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([TLSHandler.server(store), Introduction()])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            let value = try await body(channel.localAddress?.port ?? 0)
            try await channel.close()
            return value
        } catch {
            try? await channel.close()
            throw error
        }
    }

    /// All that `openssl s_client` says, the server's introduction among it.
    private func visit(
        _ port: Int, _ version: Version, as client: TestPKI.Leaf? = nil, _ more: String = ""
    ) async throws -> String {
        var words = ["-connect 127.0.0.1:\(port) -servername mx.example.test", version.rawValue, more]
        if let client {
            let name = UUID().uuidString
            let chain = try self.files.write(client.chainPEM, as: "\(name).pem")
            let key = try self.files.write(client.key.pem, as: "\(name).key")
            words.append("-cert \(chain) -cert_chain \(chain) -key \(key)")
        }
        return try await ChildProcess.run(
            "/bin/sh", ["-c", "openssl s_client -ign_eof \(words.joined(separator: " ")) </dev/null 2>&1; true"],
            limit: .seconds(30))
    }

    private func expect(_ words: String, _ output: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(output.contains(words), "\(output)", sourceLocation: sourceLocation)
    }

    private func authority(_ pki: TestPKI) -> RecognisedClients {
        RecognisedClients(authorities: [pki.root.certificate], fingerprints: [])
    }

    @Test(
        "A certificate of the authority is recognised; without one, or with another's, the client is served all the same",
        arguments: Version.allCases)
    func authority(_ version: Version) async throws {
        let (ours, theirs) = (try self.pki.leaf("edge.client.test"), try self.foreign.leaf("edge.client.test"))
        let expired = try self.pki.leaf("late.client.test", validity: .expired)
        try await self.withServer(try self.store(self.authority(self.pki))) { port in
            self.expect("you are CN=edge.client.test, anew", try await self.visit(port, version, as: ours))
            for stranger in [nil, theirs, expired] {
                self.expect("you are nobody, anew", try await self.visit(port, version, as: stranger))
            }
        }
    }

    @Test(
        "Other authorities count from the next handshake on, and no session is resumed that proved itself by the old ones"
    )
    func replacedAuthority() async throws {
        let (ours, theirs) = (try self.pki.leaf("edge.client.test"), try self.foreign.leaf("edge.client.test"))
        let store = try self.store(self.authority(self.pki))
        let session = self.files.folder.appending(path: "replaced.session").path
        try await self.withServer(store) { port in
            self.expect(
                "you are CN=edge.client.test, anew",
                try await self.visit(port, .tls12, as: ours, "-sess_out \(session)"))
            try store.replace([self.server.serverCertificate()], clients: self.authority(self.foreign))
            self.expect(
                "you are nobody, anew", try await self.visit(port, .tls12, as: ours, "-sess_in \(session)"))
            self.expect("you are CN=edge.client.test, anew", try await self.visit(port, .tls12, as: theirs))
            try store.replace([self.server.serverCertificate()], clients: nil)
            self.expect("you are nobody, anew", try await self.visit(port, .tls12, as: theirs))
        }
    }

    @Test(
        "A client's chain of 32 certificates is verified; with a longer one the client is served as a stranger",
        arguments: Version.allCases)
    func longChains(_ version: Version) async throws {
        let leaf = try self.pki.leaf("edge.client.test")
        func client(sending count: Int) -> TestPKI.Leaf {
            // openssl sends the certificate itself and all that stands in the file.
            let filler = String(repeating: self.pki.root.certificate.pem, count: count - 4)
            return TestPKI.Leaf(certificate: leaf.certificate, key: leaf.key, chainPEM: leaf.chainPEM + filler)
        }
        try await self.withServer(try self.store(self.authority(self.pki))) { port in
            self.expect("you are CN=edge.client.test", try await self.visit(port, version, as: client(sending: 32)))
            self.expect("you are nobody", try await self.visit(port, version, as: client(sending: 33)))
            // More than 64 KiB of certificates end the handshake.
            #expect(try await !self.visit(port, version, as: client(sending: 250)).contains("you are"))
        }
        let pinned = RecognisedClients(authorities: [], fingerprints: [Digests.sha256(leaf.certificate.value.der)])
        try await self.withServer(try self.store(pinned)) { port in
            self.expect("you are CN=edge.client.test", try await self.visit(port, version, as: client(sending: 33)))
        }
    }

    @Test("A fingerprint of certificate or key is enough, whoever issued it", arguments: Version.allCases)
    func fingerprints(_ version: Version) async throws {
        let (one, two, three) = (
            try self.foreign.leaf("one.test"), try self.foreign.leaf("two.test"), try self.foreign.leaf("three.test")
        )
        let clients = RecognisedClients(
            authorities: [],
            fingerprints: [
                Digests.sha256(one.certificate.value.der), Digests.sha256(two.certificate.value.subjectPublicKeyInfo),
            ])
        try await self.withServer(try self.store(clients)) { port in
            self.expect("you are CN=one.test", try await self.visit(port, version, as: one))
            self.expect("you are CN=two.test", try await self.visit(port, version, as: two))
            self.expect("you are nobody", try await self.visit(port, version, as: three))
        }
    }

    @Test("A certificate is asked for only where clients are to be recognised", arguments: Version.allCases)
    func askedFor(_ version: Version) async throws {
        for clients in [nil, self.authority(self.pki)] {
            try await self.withServer(try self.store(clients)) { port in
                let output = try await self.visit(port, version)
                #expect(output.contains("Client Certificate Types") == (clients != nil && version == .tls12))
                #expect(output.contains("Acceptable client certificate CA names") == (clients != nil))
            }
        }
    }

    @Test("A resumed session keeps the verdict of its first handshake, good or bad", arguments: Version.allCases)
    func resumption(_ version: Version) async throws {
        let clients: [(TestPKI.Leaf?, String)] = [
            (try self.pki.leaf("edge.client.test"), "CN=edge.client.test"),
            (try self.foreign.leaf("edge.client.test"), "nobody"), (nil, "nobody"),
        ]
        try await self.withServer(try self.store(self.authority(self.pki))) { port in
            for (client, name) in clients {
                let session = self.files.folder.appending(path: "\(UUID().uuidString).session").path
                let first = try await self.visit(port, version, as: client, "-sess_out \(session)")
                #expect(first.contains("you are \(name), anew"), "\(first)")
                // Without its certificate: the session has to know.
                let second = try await self.visit(port, version, "-sess_in \(session)")
                #expect(second.contains("you are \(name), again"), "\(second)")
            }
        }
    }

    @Test("A client that got a session without a certificate cannot add one to it", arguments: Version.allCases)
    func certificateAfterwards(_ version: Version) async throws {
        let client = try self.pki.leaf("edge.client.test")
        try await self.withServer(try self.store(self.authority(self.pki))) { port in
            let session = self.files.folder.appending(path: "\(UUID().uuidString).session").path
            _ = try await self.visit(port, version, "-sess_out \(session)")
            let second = try await self.visit(port, version, as: client, "-sess_in \(session)")
            #expect(second.contains("you are nobody, again"), "\(second)")
        }
    }
}
