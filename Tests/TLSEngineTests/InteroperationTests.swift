import Cryptography
import DANE
import DNSModel
import Foundation
import LabPeers
import LabSupport
import MailModel
import NIOCore
import NIOPosix
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

/// Files for the tools of others, removed at the end.
final class Files: Sendable {
    let folder: URL

    init() throws {
        self.folder = FileManager.default.temporaryDirectory.appending(path: "relay-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: self.folder) }

    func write(_ text: String, as name: String) throws -> String {
        let file = self.folder.appending(path: name)
        try Data(text.utf8).write(to: file)
        return file.path
    }
}

@Suite("Against OpenSSL's and GnuTLS's own tools", .timeLimit(.minutes(2)))
struct InteroperationTests {
    let pki: TestPKI
    let leaf: TestPKI.Leaf
    let files: Files
    init() throws {
        self.pki = try TestPKI()
        self.leaf = try self.pki.leaf("mx.example.test")
        self.files = try Files()
    }

    // MARK: Their clients, our server

    private func withServer(_ store: ServerCertificateStore, _ body: (Int) async throws -> Void) async throws {
        let server = try await EchoServer(store, group: MultiThreadedEventLoopGroup.singleton)
        do {
            try await body(server.port)
            await server.stop()
        } catch {
            await server.stop()
            throw error
        }
    }

    /// What `openssl s_client` says, whatever its exit status.
    private func openssl(_ port: Int, _ arguments: String..., input: String = "true") async throws -> String {
        let root = try self.files.write(self.pki.root.certificate.pem, as: "root-\(UUID().uuidString).pem")
        let words = ["-connect 127.0.0.1:\(port) -CAfile \(root)"] + arguments
        return try await ChildProcess.run(
            "/bin/sh", ["-c", "(\(input)) | openssl s_client \(words.joined(separator: " ")) 2>&1; true"],
            limit: .seconds(30))
    }

    @Test("openssl s_client verifies us", arguments: ["1.2", "1.3"])
    func opensslClient(_ version: String) async throws {
        try await self.withServer(self.pki.store(self.leaf)) { port in
            let option = version == "1.2" ? "-tls1_2" : "-tls1_3"
            let output = try await self.openssl(
                port, option, "-servername mx.example.test -verify_hostname mx.example.test -verify_return_error -brief"
            )
            #expect(output.contains("Protocol version: TLSv\(version)"), "\(output)")
            #expect(output.contains("Verification: OK"), "\(output)")
        }
    }

    @Test("TLS 1.1 is refused by the server")
    func oldVersion() async throws {
        try await self.withServer(self.pki.store(self.leaf)) { port in
            let output = try await self.openssl(port, "-tls1_1 -cipher DEFAULT@SECLEVEL=0 -brief")
            #expect(output.contains("alert protocol version"), "\(output)")
        }
    }

    @Test("Foreign ALPN aborts the handshake, ours is agreed (hostile-input 17)")
    func applicationProtocols() async throws {
        try await self.withServer(self.pki.store(self.leaf)) { port in
            let foreign = try await self.openssl(port, "-alpn h2,http/1.1")
            #expect(foreign.contains("no application protocol"), "\(foreign)")
            let ours = try await self.openssl(port, "-alpn h2,smtp")
            #expect(ours.contains("ALPN protocol: smtp"), "\(ours)")
        }
    }

    @Test("Renegotiation is refused (hostile-input 17)")
    func renegotiation() async throws {
        try await self.withServer(self.pki.store(self.leaf)) { port in
            let output = try await self.openssl(port, "-tls1_2", input: "sleep 1; echo R; sleep 3")
            #expect(output.contains("RENEGOTIATING"), "\(output)")
            #expect(output.contains("no renegotiation"), "\(output)")
        }
    }

    @Test(
        "Our own ticket is resumed; one of another cluster or of keys that are gone is a full handshake (hostile-input 17)",
        arguments: ["-tls1_2", "-tls1_3"])
    func tickets(_ version: String) async throws {
        let session = self.files.folder.appending(path: "\(UUID().uuidString).session").path
        // The tickets of TLS 1.3 come behind the handshake.
        func visit(_ port: Int, _ option: String) async throws -> String {
            try await self.openssl(port, version, "\(option) \(session)", input: "sleep 1; echo x; sleep 1")
        }
        let store = try self.pki.store(self.leaf)
        try await self.withServer(store) { port in
            let first = try await visit(port, "-sess_out")
            #expect(first.contains("\nNew, TLSv1"), "\(first)")
            let second = try await visit(port, "-sess_in")
            #expect(second.contains("\nReused, TLSv1"), "\(second)")
            // The keys of tickets live and die with a generation of certificates.
            try store.replace([self.leaf.serverCertificate()], clients: nil)
            let third = try await visit(port, "-sess_in")
            #expect(third.contains("\nNew, TLSv1"), "\(third)")
        }
        try await self.withServer(self.pki.store(self.leaf)) { port in
            let stranger = try await visit(port, "-sess_in")
            #expect(stranger.contains("\nNew, TLSv1"), "\(stranger)")
            #expect(stranger.contains("Verify return code: 0 (ok)"), "\(stranger)")
        }
    }

    @Test("An unknown name in SNI is shown the default certificate (hostile-input 17)", arguments: ["1.2", "1.3"])
    func unknownName(_ version: String) async throws {
        let other = try self.pki.leaf("other.example.test")
        try await self.withServer(self.pki.store(self.leaf, other)) { port in
            let option = version == "1.2" ? "-tls1_2" : "-tls1_3"
            for (name, shown) in [
                ("nobody.example.test", "mx.example.test"), ("other.example.test", "other.example.test"),
            ] {
                let output = try await self.openssl(
                    port, option, "-servername \(name) -verify_hostname \(shown) -verify_return_error -brief")
                #expect(output.contains("Verification: OK"), "\(output)")
            }
        }
    }

    @Test("A name with an RSA and an ECDSA certificate serves each client the one it can verify")
    func twoKinds() async throws {
        let rsa = try self.pki.leaf("mx.example.test", algorithm: .rsa(bits: 2048))
        try await self.withServer(self.pki.store(self.leaf, rsa)) { port in
            let server = "-servername mx.example.test -brief -tls1_3"
            let first = try await self.openssl(port, server, "-sigalgs ecdsa_secp256r1_sha256")
            #expect(first.contains("Signature type: ECDSA"), "\(first)")
            // A chain signed by ECDSA has to be acceptable to this client as well.
            let second = try await self.openssl(
                port, server, "-sigalgs rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256")
            #expect(second.contains("CONNECTION ESTABLISHED"), "\(second)")
            let third = try await self.openssl(
                port, "-servername mx.example.test -brief -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256")
            #expect(third.contains("ECDHE-RSA-AES128-GCM-SHA256"), "\(third)")
        }
    }

    @Test("gnutls-cli verifies us", arguments: ["1.2", "1.3"])
    func gnutlsClient(_ version: String) async throws {
        let root = try self.files.write(self.pki.root.certificate.pem, as: "root.pem")
        try await self.withServer(self.pki.store(self.leaf)) { port in
            let output = try await ChildProcess.run(
                "gnutls-cli",
                [
                    "--port", "\(port)", "--x509cafile", root, "--sni-hostname", "mx.example.test",
                    "--verify-hostname", "mx.example.test", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS\(version)",
                    "127.0.0.1",
                ], limit: .seconds(30))
            #expect(output.contains("The certificate is trusted"), "\(output)")
            #expect(output.contains("(TLS\(version)-"), "\(output)")
        }
    }

    // MARK: Their servers, our client

    private func withPeer(
        _ executable: String, _ arguments: [String], _ port: UInt16, _ body: () async throws -> Void
    )
        async throws
    {
        let log = self.files.folder.appending(path: "\(UUID().uuidString).log")
        let peer = try await ChildProcess(executable, arguments, log: log)
        do {
            try await peer.ready(within: .seconds(60), executable) { await accepts(port) }
            try await body()
            await peer.stop()
        } catch {
            await peer.stop()
            throw error
        }
    }

    private func expectVerified(
        _ port: UInt16, _ version: String, sending text: String, returning answer: String
    )
        async throws
    {
        for record in [self.leaf.tlsaRecord(.daneEE, .spki, .sha256), self.pki.anchorRecord] {
            let visit = try await visit(
                port: Int(port), .dane(record), sending: Array(text.utf8), expecting: answer.utf8.count)
            guard case .established(.dane(let peer), let info) = visit.outcome else {
                Issue.record("not verified: \(String(describing: visit.outcome))")
                continue
            }
            #expect(peer.matched == record)
            #expect(info.version == "TLSv\(version)")
            #expect(info.keyExchangeGroup != nil)
            #expect(String(decoding: visit.received, as: UTF8.self) == answer)
        }
        let refused = try await visit(port: Int(port), .dane(self.pki.anchorRecord.wrong), sending: Array(text.utf8))
        guard case .failed(let failure, _) = refused.outcome else {
            Issue.record("a wrong record was taken")
            return
        }
        #expect(failure.reason == .noRecordMatched)
    }

    @Test("We verify openssl s_server and talk to it", arguments: ["1.2", "1.3"])
    func opensslServer(_ version: String) async throws {
        let chain = try self.files.write(self.leaf.chainPEM, as: "chain.pem")
        let key = try self.files.write(self.leaf.key.pem, as: "key.pem")
        let port = Ports.unused()
        let arguments = [
            "s_server", "-accept", "127.0.0.1:\(port)", "-cert", chain, "-cert_chain", chain, "-key", key, "-rev",
            version == "1.2" ? "-tls1_2" : "-tls1_3",
        ]
        try await self.withPeer("openssl", arguments, port) {
            try await self.expectVerified(port, version, sending: "OLHE\n", returning: "EHLO\n")
        }
    }

    @Test("We verify gnutls-serv and talk to it", arguments: ["1.2", "1.3"])
    func gnutlsServer(_ version: String) async throws {
        let chain = try self.files.write(self.leaf.chainPEM, as: "chain.pem")
        let key = try self.files.write(self.leaf.key.pem, as: "key.pem")
        let port = Ports.unused()
        let arguments = [
            "--port", "\(port)", "--x509certfile", chain, "--x509keyfile", key, "--echo", "--priority",
            "NORMAL:-VERS-ALL:+VERS-TLS\(version)",
        ]
        try await self.withPeer("gnutls-serv", arguments, port) {
            try await self.expectVerified(port, version, sending: "EHLO\n", returning: "EHLO\n")
        }
    }

    @Test("Opportunistic TLS still speaks TLS 1.0; TLS that is owed does not (rule 21)")
    func oldServer() async throws {
        let rsa = try self.pki.leaf("mx.example.test", algorithm: .rsa(bits: 2048))
        let chain = try self.files.write(rsa.chainPEM, as: "chain.pem")
        let key = try self.files.write(rsa.key.pem, as: "key.pem")
        let port = Ports.unused()
        let arguments = [
            "s_server", "-accept", "127.0.0.1:\(port)", "-cert", chain, "-key", key, "-rev", "-tls1", "-cipher",
            "DEFAULT@SECLEVEL=0",
        ]
        try await self.withPeer("openssl", arguments, port) {
            let lenient = try await visit(port: Int(port), .opportunistic, sending: Array("ab\n".utf8))
            guard case .established(.none, let info) = lenient.outcome else {
                Issue.record("no TLS 1.0: \(String(describing: lenient.outcome))")
                return
            }
            #expect(info.version == "TLSv1")
            #expect(lenient.received == Array("ba\n".utf8))
            let strict = try await visit(port: Int(port), .mustEncrypt, sending: Array("ab\n".utf8))
            guard case .failed(let failure, _) = strict.outcome else {
                Issue.record("TLS 1.0 was taken where TLS is owed")
                return
            }
            #expect(failure.reason == .disagreement)
        }
    }

    /// `openssl s_server` with our leaf and these further arguments.
    private func withServer(_ arguments: [String], _ body: (Int) async throws -> Void) async throws {
        let chain = try self.files.write(self.leaf.chainPEM, as: "\(UUID().uuidString).pem")
        let key = try self.files.write(self.leaf.key.pem, as: "\(UUID().uuidString).pem")
        let port = Ports.unused()
        let words = ["s_server", "-accept", "127.0.0.1:\(port)", "-rev"]
        let own = ["-cert", chain, "-cert_chain", chain, "-key", key, "-cert2", chain, "-key2", key]
        try await self.withPeer("openssl", words + own + arguments, port) { try await body(Int(port)) }
    }

    @Test("A server of TLS 1.3 that demands a certificate says so behind our handshake, by name (field C5)")
    func certificateDemanded() async throws {
        try await self.withServer(["-tls1_3", "-Verify", "1", "-verify_return_error"]) { port in
            let visit = try await visit(port: port, .opportunistic, expecting: 1)
            guard case .established = visit.outcome else {
                Issue.record("\(String(describing: visit.outcome))")
                return
            }
            #expect(visit.truncation?.reason == .refusedByPeer)
            #expect(visit.truncation?.text.contains("certificate required") == true)
        }
        try await self.withServer(["-tls1_2", "-Verify", "1", "-verify_return_error"]) { port in
            let visit = try await visit(port: port, .opportunistic, expecting: 1)
            guard case .failed(let failure, _) = visit.outcome else {
                Issue.record("\(String(describing: visit.outcome))")
                return
            }
            #expect([.refusedByPeer, .disagreement].contains(failure.reason), "\(failure)")
        }
    }

    @Test("openssl s_server verifies our certificate and agrees on a protocol", arguments: ["-tls1_2", "-tls1_3"])
    func clientIdentity(_ version: String) async throws {
        let root = try self.files.write(self.pki.root.certificate.pem, as: "root.pem")
        let client = try self.pki.leaf("node.test")
        let verification = CertificateVerification(name: "mx.example.test", authorities: .file(root))
        let arguments = [version, "-Verify", "3", "-verify_return_error", "-CAfile", root, "-alpn", "h2"]
        try await self.withServer(arguments) { port in
            for identity in [client, nil] {
                let context = try TLSClientContext(
                    authorities: [root: [self.pki.root.certificate]], identity: identity?.serverCertificate(),
                    applicationProtocols: ["h2"])
                let visit = try await visit(
                    port: port, .mustVerify(verification), by: context, sending: Array("ab\n".utf8))
                guard identity != nil else {
                    #expect(visit.received.isEmpty, "the server takes nobody without a certificate")
                    continue
                }
                #expect(visit.received == Array("ba\n".utf8))
                guard case .established(.authority, let info) = visit.outcome else {
                    Issue.record("not verified: \(String(describing: visit.outcome))")
                    return
                }
                #expect(info.applicationProtocol == "h2")
            }
        }
    }

    @Test("A server that rejects our name in SNI is told from other refusals, and talks without one (field C5)")
    func nameRejected() async throws {
        try await self.withServer(["-servername", "other.example.test", "-servername_fatal"]) { port in
            let name: DomainName = "mx.example.test"
            guard case .failed(let failure, _) = try await visit(port: port, .opportunistic, serverName: name).outcome
            else {
                Issue.record("the name was taken")
                return
            }
            #expect(failure.reason == .nameRejected, "\(failure)")
            let second = try await visit(port: port, .opportunistic, sending: Array("ab\n".utf8))
            #expect(second.received == Array("ba\n".utf8))
        }
    }
}

/// Whether something listens on this loopback port.
private func accepts(_ port: UInt16) async -> Bool {
    let attempt = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(
        host: "127.0.0.1", port: Int(port))
    guard let channel = try? await attempt.get() else { return false }
    try? await channel.close()
    return true
}
