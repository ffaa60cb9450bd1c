import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import LabPeers
import LabSupport
import MailModel
import NIOCore
import NIOPosix
import Synchronization
import TLSEngine
import TransportSecurity

/// Python with grpcio and h2, as ops/lib/make-python installs it, and the scripts that run in it.
enum PythonPeer {
    private static let root = URL(filePath: FileManager.default.currentDirectoryPath)
    static let python = Self.root.appending(path: ".build/python/bin/python").path

    /// Whether everything that the scripts import is there.
    static let isThere: Bool = {
        let packages = Self.root.appending(path: ".build/python/lib/python3.11/site-packages")
        return ["grpc", "h2"].allSatisfy {
            FileManager.default.fileExists(atPath: packages.appending(path: $0).path)
        }
    }()

    static func script(_ name: String) -> String { Self.root.appending(path: "Tests/GRPCPeers/\(name).py").path }
}

/// A cluster's certificates as files and as contexts, and a folder that goes away with it.
final class InteropWorld: Sendable {
    static let serverName = "controller.example.test"
    let pki: TestPKI
    let server, client: TestPKI.Leaf
    let folder: URL
    private let number = Atomic(0)

    init() throws {
        self.pki = try TestPKI(now: Timestamp(seconds: Int64(Date().timeIntervalSince1970)))
        self.server = try self.pki.leaf(Self.serverName)
        self.client = try Self.node(of: self.pki)
        self.folder = URL(filePath: "/tmp/relay-grpc-\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    }

    /// A node's certificate, with its role in a URI.
    private static func node(of pki: TestPKI) throws -> TestPKI.Leaf {
        let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970))
        let key = try PrivateKey(.p256)
        let certificate = try pki.intermediate.issue(
            CertificateRequest(
                commonName: "edge", uris: ["relay://lab/node/edge"], notBefore: now + .seconds(-3_600),
                notAfter: now + .seconds(86_400)), key: key)
        let chain = [certificate, pki.intermediate.certificate]
        return TestPKI.Leaf(certificate: certificate, key: key, chainPEM: chain.map(\.pem).joined())
    }

    deinit { try? FileManager.default.removeItem(at: self.folder) }

    func file(_ text: String, _ name: String) throws -> String {
        let path = self.folder.appending(path: name).path
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    func newPath(_ name: String) -> String {
        let number = self.number.add(1, ordering: .relaxed).newValue
        return self.folder.appending(path: "\(name)-\(number)").path
    }

    // MARK: Our sides

    static let random: @Sendable () -> Double = { Double.random(in: 0...1) }

    func serverConfiguration() throws -> GRPCServerTransport.Configuration {
        let store = try ServerCertificateStore(
            [self.server.serverCertificate()], applicationProtocols: ["h2"],
            clients: RecognisedClients(authorities: [self.pki.root.certificate], fingerprints: []))
        return GRPCServerTransport.Configuration(
            addresses: [.host("127.0.0.1", port: 0)], security: .tls(store), random: Self.random)
    }

    func clientConfiguration(_ addresses: [TransportAddress]) throws -> GRPCClientTransport.Configuration {
        let context = try TLSClientContext(
            authorities: ["cluster": [self.pki.root.certificate]], identity: self.client.serverCertificate(),
            applicationProtocols: ["h2"])
        guard let name = DomainName(Self.serverName) else { throw LabFailure("not a name: \(Self.serverName)") }
        return GRPCClientTransport.Configuration(
            addresses: addresses,
            security: .tls(
                context, .mustVerify(CertificateVerification(name: name, authorities: .file("cluster")))),
            authority: Self.serverName, random: Self.random)
    }

    // MARK: Peers

    /// Runs a Python peer to its end; gives its lines.
    func run(_ script: String, _ arguments: [String], limit: Duration = .seconds(90)) async throws -> [String] {
        let log = URL(filePath: self.newPath("log"))
        let child = try await ChildProcess(PythonPeer.python, [PythonPeer.script(script)] + arguments, log: log)
        let isOver = await child.ended(within: limit)
        await child.stop()
        let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n").map { String($0) }
        return isOver ? lines : lines + ["\(script) failed: took longer than \(limit)"]
    }

    /// The arguments that make grpcio use TLS with a client certificate.
    func clientFiles(withCertificate: Bool = true) throws -> [String] {
        let root = ["--root", try self.file(self.pki.root.certificate.pem, "root.pem"), "--name", Self.serverName]
        guard withCertificate else { return root }
        return root + [
            "--chain", try self.file(self.client.chainPEM, "client.pem"), "--key",
            try self.file(self.client.key.pem, "client.key"),
        ]
    }

    func serverFiles() throws -> [String] {
        [
            "--chain", try self.file(self.server.chainPEM, "server.pem"), "--key",
            try self.file(self.server.key.pem, "server.key"), "--root",
            try self.file(self.pki.root.certificate.pem, "root.pem"),
        ]
    }

    /// Runs grpcio's server beside `body`, which gets its port.
    func withPythonServer<Value>(_ arguments: [String], _ body: (Int) async throws -> Value) async throws -> Value {
        let file = self.newPath("port")
        let child = try await ChildProcess(
            PythonPeer.python, [PythonPeer.script("grpcio_server"), file] + arguments,
            log: URL(filePath: self.newPath("log")))
        do {
            try await child.ready(within: .seconds(30), "grpcio's server") {
                FileManager.default.fileExists(atPath: file)
            }
            let value = try await body(Int(try String(contentsOfFile: file, encoding: .utf8)) ?? 0)
            await child.stop()
            return value
        } catch {
            await child.stop()
            throw error
        }
    }
}

/// Runs our server with the interoperability service beside `body`, which gets where it listens. A graceful shutdown ends it.
func withInteropServer<Value: Sendable>(
    _ configuration: GRPCServerTransport.Configuration,
    _ body: (GRPCServer<GRPCServerTransport>, [SocketAddress]) async throws -> Value
) async throws -> Value {
    let transport = GRPCServerTransport(configuration, group: MultiThreadedEventLoopGroup.singleton)
    return try await withGRPCServer(transport: transport, services: [InteropService()]) { server in
        try await body(server, await transport.listeningAddresses)
    }
}

/// Runs our client beside `body`.
func withInteropClient<Value: Sendable>(
    _ configuration: GRPCClientTransport.Configuration,
    _ body: (GRPCClient<GRPCClientTransport>) async throws -> Value
) async throws -> Value {
    let transport = GRPCClientTransport(configuration, group: MultiThreadedEventLoopGroup.singleton)
    return try await withGRPCClient(transport: transport, handleClient: body)
}

/// Runs `body`, and cancels it when the time is up.
func withLimit<Value: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw LabFailure("took longer than \(limit)")
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw LabFailure("no result") }
        return value
    }
}
